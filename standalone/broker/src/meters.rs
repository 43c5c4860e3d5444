//! What the broker counts for Prometheus: every name and label is here.

use std::time::Duration;

use metrics::{
    Counter, Gauge, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram,
    gauge, histogram,
};

use crate::chain_times::ChainTimes;
use crate::log::batch;

/// Connections that are open.
pub(crate) fn connections() -> Gauge {
    gauge!("coinlake_broker_connections")
}

/// Batches were written to a topic.
pub(crate) fn count_written<'a>(topic: &str, sets: impl Iterator<Item = &'a [u8]>) {
    let (mut records, mut bytes) = (0, 0);
    for set in sets {
        records += count_records(set);
        bytes += set.len() as u64;
    }
    counter!("coinlake_broker_received_records_total", "topic" => topic.to_owned())
        .increment(records);
    counter!("coinlake_broker_received_bytes_total", "topic" => topic.to_owned()).increment(bytes);
}

/// What a stream is sent.
pub(crate) struct Sent {
    records: Counter,
    bytes: Counter,
}

impl Sent {
    /// Of this topic.
    pub(crate) fn new(topic: &str) -> Self {
        Self {
            records: counter!("coinlake_broker_sent_records_total", "topic" => topic.to_owned()),
            bytes: counter!("coinlake_broker_sent_bytes_total", "topic" => topic.to_owned()),
        }
    }

    /// Batches went out.
    pub(crate) fn count(&self, batches: &[u8]) {
        self.records.increment(count_records(batches));
        self.bytes.increment(batches.len() as u64);
    }
}

fn count_records(batches: &[u8]) -> u64 {
    let headers = batch::headers(batches).filter_map(Result::ok);
    headers.map(|(header, _)| header.records() as u64).sum()
}

/// A chain of SmartModules at work.
#[derive(Debug)]
pub(crate) struct ChainMeters {
    name: String,
    times: ChainTimes,
    open_seconds: Histogram,
    seconds: Histogram,
    records: Counter,
    errors: Counter,
}

impl ChainMeters {
    /// Of the chain of this name, whose work `times` is told of too.
    pub(crate) fn new(name: String, times: ChainTimes) -> Self {
        let labels = [("smartmodule", name.clone())];
        Self {
            name,
            times,
            open_seconds: histogram!("coinlake_broker_smartmodule_open_seconds", &labels),
            seconds: histogram!("coinlake_broker_smartmodule_seconds", &labels),
            records: counter!("coinlake_broker_smartmodule_records_total", &labels),
            errors: counter!("coinlake_broker_smartmodule_errors_total", &labels),
        }
    }

    /// The chain is ready to work.
    pub(crate) fn opened(&self, took: Duration) {
        self.open_seconds.record(took);
        self.errors.increment(0);
    }

    /// A batch of so many records went through; or the first of them, up to one that a module failed on.
    pub(crate) fn processed(&self, records: i64, took: Duration, failed: bool) {
        let records = records.unsigned_abs();
        self.times.add(&self.name, records, took);
        self.seconds.record(took);
        self.records.increment(records);
        self.errors.increment(u64::from(failed));
    }
}

/// Says what each of them means, and makes those exist that have no label.
pub(crate) fn describe() {
    describe_gauge!("coinlake_broker_connections", "Open connections");
    describe_counter!(
        "coinlake_broker_received_records_total",
        "Records written, by topic"
    );
    describe_counter!(
        "coinlake_broker_received_bytes_total",
        Unit::Bytes,
        "Bytes written, after SmartModules, by topic"
    );
    describe_counter!(
        "coinlake_broker_sent_records_total",
        "Records sent to streams, by topic; through SmartModules: the inputs they cover"
    );
    describe_counter!(
        "coinlake_broker_sent_bytes_total",
        Unit::Bytes,
        "Bytes sent to streams, by topic"
    );
    describe_histogram!(
        "coinlake_broker_smartmodule_open_seconds",
        Unit::Seconds,
        "Compiling and starting a chain of SmartModules"
    );
    describe_histogram!(
        "coinlake_broker_smartmodule_seconds",
        Unit::Seconds,
        "A batch through a chain of SmartModules"
    );
    describe_counter!(
        "coinlake_broker_smartmodule_records_total",
        "Records that went into a chain of SmartModules"
    );
    describe_counter!(
        "coinlake_broker_smartmodule_errors_total",
        "Batches that a SmartModule failed on"
    );
    connections().increment(0.0);
}
