//! What a stage reports to Prometheus: every name and label is here. `status` holds what the process itself and its tests
//! read.

use metrics::{
    Counter, Gauge, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram,
    gauge, histogram,
};

use crate::config::{STATUS_NONE, StagePlan};

/// The meters of one stage. Each exists from the start, so that Prometheus sees its first increment.
pub(crate) struct Meters {
    stage: String,
    topic: String,
    /// Inputs handled; after a restart some are counted again.
    pub inputs: Counter,
    /// Outputs by destination, in the order of the plan.
    pub outputs: Vec<Counter>,
    /// Outputs that go nowhere: of a status that `ignore` lists, or duplicates.
    pub ignored: Counter,
    pub commits: Counter,
    pub commit_retries: Counter,
    pub commit_seconds: Histogram,
    pub restarts: Counter,
    pub uncommitted_rows: Gauge,
    pub memory_bytes: Gauge,
}

impl Meters {
    pub(crate) fn new(plan: &StagePlan, topic: &str) -> Self {
        describe();
        let stage = plan.name.clone();
        let outputs = |destination: &str| {
            counter!(
                "parquet_sink_outputs_total",
                "stage" => stage.clone(), "destination" => destination.to_owned()
            )
        };
        let labels = [("stage", stage.clone())];
        let meters = Self {
            topic: topic.to_owned(),
            inputs: counter!("parquet_sink_inputs_total", &labels),
            outputs: plan
                .destinations
                .iter()
                .map(|destination| outputs(destination.label()))
                .collect(),
            ignored: outputs(STATUS_NONE),
            commits: counter!("parquet_sink_commits_total", &labels),
            commit_retries: counter!("parquet_sink_commit_retries_total", &labels),
            commit_seconds: histogram!("parquet_sink_commit_seconds", &labels),
            restarts: counter!("parquet_sink_restarts_total", &labels),
            uncommitted_rows: gauge!("parquet_sink_uncommitted_rows", &labels),
            memory_bytes: gauge!("parquet_sink_memory_bytes", &labels),
            stage,
        };
        gauge!("parquet_sink_commit_interval_seconds", &labels)
            .set(plan.limits.interval.as_secs_f64());
        let counters = [
            &meters.inputs,
            &meters.ignored,
            &meters.commits,
            &meters.commit_retries,
            &meters.restarts,
        ];
        for counter in counters.into_iter().chain(&meters.outputs) {
            counter.increment(0);
        }
        for layer in plan.layers() {
            for counter in meters.layer(&layer.name) {
                counter.increment(0);
            }
        }
        for (_, topic) in plan.topics() {
            meters.records(topic).increment(0);
        }
        meters
    }

    /// The counter of records acknowledged by an output topic.
    pub(crate) fn records(&self, topic: &str) -> Counter {
        counter!(
            "parquet_sink_records_total",
            "stage" => self.stage.clone(), "topic" => topic.to_owned()
        )
    }

    /// Counts a committed file of a table.
    pub(crate) fn count_file(&self, layer: &str, file_rows: u64, file_bytes: u64) {
        let [rows, files, bytes] = self.layer(layer);
        rows.increment(file_rows);
        files.increment(1);
        bytes.increment(file_bytes);
    }

    /// The counters of a table: rows, files and bytes.
    fn layer(&self, layer: &str) -> [Counter; 3] {
        let labels = [("stage", self.stage.clone()), ("layer", layer.to_owned())];
        [
            counter!("parquet_sink_rows_total", &labels),
            counter!("parquet_sink_files_total", &labels),
            counter!("parquet_sink_file_bytes_total", &labels),
        ]
    }

    /// Sets the number of records of an input partition that are not handled yet.
    pub(crate) fn lag(&self, partition: u32, records: i64) {
        gauge!(
            "parquet_sink_lag_records",
            "stage" => self.stage.clone(),
            "topic" => self.topic.clone(),
            "partition" => partition.to_string()
        )
        .set(records as f64);
    }

    /// Sets when an input partition was last committed.
    pub(crate) fn last_commit(&self, partition: u32, at_ms: i64) {
        self.last_commit_gauge(partition).set(at_ms as f64 / 1e3);
    }

    /// Whoever reads an input partition next reports its lag and its commits.
    pub(crate) fn given_up(&self, partition: u32) {
        self.lag(partition, 0);
        // A gauge cannot be removed, and no age is counted from this one.
        self.last_commit_gauge(partition).set(f64::NAN);
        self.oldest_row(partition, 0);
    }

    /// Sets when the oldest row of an input partition came that is not committed; 0 where all are.
    pub(crate) fn oldest_row(&self, partition: u32, at_ms: i64) {
        let seconds = match at_ms {
            0 => f64::NAN,
            at_ms => at_ms as f64 / 1e3,
        };
        gauge!(
            "parquet_sink_oldest_uncommitted_timestamp_seconds",
            "stage" => self.stage.clone(), "partition" => partition.to_string()
        )
        .set(seconds);
    }

    fn last_commit_gauge(&self, partition: u32) -> Gauge {
        gauge!(
            "parquet_sink_last_commit_timestamp_seconds",
            "stage" => self.stage.clone(), "partition" => partition.to_string()
        )
    }
}

fn describe() {
    describe_counter!("parquet_sink_inputs_total", "Inputs handled");
    describe_counter!(
        "parquet_sink_outputs_total",
        "Outputs by destination; none means nowhere"
    );
    describe_counter!(
        "parquet_sink_records_total",
        "Records acknowledged by output topics"
    );
    describe_counter!("parquet_sink_rows_total", "Committed rows");
    describe_counter!("parquet_sink_files_total", "Committed files");
    describe_counter!(
        "parquet_sink_file_bytes_total",
        Unit::Bytes,
        "Bytes of committed files"
    );
    describe_counter!("parquet_sink_commits_total", "Commits");
    describe_counter!(
        "parquet_sink_commit_retries_total",
        "Failed attempts to write into the lake"
    );
    describe_histogram!(
        "parquet_sink_commit_seconds",
        Unit::Seconds,
        "From a cut to its commit"
    );
    describe_counter!(
        "parquet_sink_restarts_total",
        "Restarts of a partition from its last commit"
    );
    describe_gauge!(
        "parquet_sink_last_commit_timestamp_seconds",
        Unit::Seconds,
        "Time of a partition's last commit; NaN where the process reads it no more"
    );
    describe_gauge!(
        "parquet_sink_oldest_uncommitted_timestamp_seconds",
        Unit::Seconds,
        "When the oldest row of a partition came that is not committed yet; NaN where all are"
    );
    describe_gauge!(
        "parquet_sink_commit_interval_seconds",
        Unit::Seconds,
        "How old rows become before they are committed, as configured"
    );
    describe_gauge!(
        "parquet_sink_lag_records",
        "Records of the input topic that the stage has not handled yet"
    );
    describe_gauge!(
        "parquet_sink_uncommitted_rows",
        "Rows that are not committed yet"
    );
    describe_gauge!(
        "parquet_sink_memory_bytes",
        Unit::Bytes,
        "Memory of files being built and outputs waiting for their topic"
    );
}
