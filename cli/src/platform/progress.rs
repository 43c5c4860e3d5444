//! The live progress line of `coinlake demo` and `up`.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::Result;
use coingecko_source::BACKFILLING;
use connector_runtime::cluster::Cluster;
use connector_runtime::process::log;
use connector_runtime::reader::OffsetProbe;
use connector_runtime::topic;
use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use parquet_sink::{PartitionStatus, StageStatus};
use replay::Progress;
use tokio::time::MissedTickBehavior;
use tokio_util::task::AbortOnDropHandle;

use super::running::Platform;
use crate::counted::counted;

const BAR_CHARS: usize = 30;
const REFRESH_INTERVAL: Duration = Duration::from_millis(250);

/// A line that shows how far the platform is; hidden when stderr is not a terminal.
pub(crate) struct ProgressLine {
    bar: ProgressBar,
    /// `None` where nobody sees the line.
    _drawing: Option<AbortOnDropHandle<()>>,
}

impl ProgressLine {
    /// Starts to draw. A replay says where it begins; a live market has no end.
    pub(crate) fn start(platform: &Platform, replay: Option<Progress>) -> Self {
        let bar = match log::is_json() {
            true => ProgressBar::hidden(),
            false => ProgressBar::new_spinner(),
        };
        let style = "{spinner} {elapsed_precise} {wide_msg}";
        bar.set_style(ProgressStyle::with_template(style).expect("the template is well-formed"));
        if bar.is_hidden() {
            return Self {
                bar,
                _drawing: None,
            };
        }
        let mut stages = Stages::of(platform);
        let source = platform.source_status();
        let drawn = bar.clone();
        let task = tokio::spawn(async move {
            let mut refresh = tokio::time::interval(REFRESH_INTERVAL);
            refresh.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let mut before = (Instant::now(), source.records.load(Ordering::Relaxed));
            loop {
                refresh.tick().await;
                let sent = source.records.load(Ordering::Relaxed);
                let now = (Instant::now(), sent);
                // The broker may have let the look before wait.
                let passed = now.0.duration_since(before.0).max(REFRESH_INTERVAL);
                let rate = (sent - before.1) as f64 / passed.as_secs_f64();
                before = now;
                if let Some((done, coins)) = source.backfilling() {
                    drawn.set_message(backfill_bar(done, coins));
                    continue;
                }
                let records = records(sent, replay);
                let lag = stages.lag().await;
                let lag = lag.map_or_else(|| "unknown".to_owned(), |it| HumanCount(it).to_string());
                let alerts = counted(stages.alerts(), "alert");
                drawn.set_message(format!("{records} · {rate:.0}/s · lag {lag} · {alerts}"));
            }
        });
        Self {
            bar,
            _drawing: Some(AbortOnDropHandle::new(task)),
        }
    }

    /// Removes the line.
    pub(crate) fn finish(self) {
        let Self { bar, _drawing } = self;
        drop(_drawing);
        bar.finish_and_clear();
    }
}

/// How many records have arrived, those of earlier runs included where it is known of how many.
fn records(sent: u64, replay: Option<Progress>) -> String {
    let of_total = replay.and_then(|began| Some((began.records + sent, began.records_total?)));
    match of_total {
        None => counted(sent, "record"),
        Some((arrived, total)) => {
            format!("{} of {} records", HumanCount(arrived), HumanCount(total))
        }
    }
}

/// A bar and a count of the coins whose past is filled in.
fn backfill_bar(done: usize, coins: usize) -> String {
    let full = (done * BAR_CHARS).checked_div(coins).unwrap_or_default();
    let full = full.min(BAR_CHARS);
    let bar = "█".repeat(full) + &"░".repeat(BAR_CHARS - full);
    format!("{bar} {BACKFILLING} {done} of {coins} coins")
}

/// What the line says of the stages.
struct Stages {
    cluster: Cluster,
    /// Each with the topic that it reads.
    stages: Vec<(String, Arc<StageStatus>)>,
    /// Of each stage's topic, one for each partition; empty before the first look and after one that failed.
    probes: Vec<Vec<OffsetProbe>>,
}

impl Stages {
    fn of(platform: &Platform) -> Self {
        let stages = platform.stages().iter();
        Self {
            cluster: platform.cluster().clone(),
            stages: stages
                .map(|stage| (stage.topic.clone(), Arc::clone(&stage.status)))
                .collect(),
            probes: Vec::new(),
        }
    }

    /// Records that are not in the lake yet, of the topics that stages read; `None` while a stage opens or the broker does not answer.
    async fn lag(&mut self) -> Option<u64> {
        let lag = self.measure_lag().await;
        if lag.is_err() {
            // A connection does not survive a restart of the broker.
            self.probes.clear();
        }
        lag.ok().flatten()
    }

    async fn measure_lag(&mut self) -> Result<Option<u64>> {
        if self.probes.is_empty() {
            self.probes = self.connect().await?;
        }
        let mut lag = 0;
        for ((_, status), probes) in self.stages.iter().zip(&mut self.probes) {
            let partitions = status.partitions();
            for (number, probe) in (0..).zip(probes) {
                let open = |it: &&Arc<PartitionStatus>| it.open.load(Ordering::Acquire);
                let Some(partition) = partitions.get(&number).filter(open) else {
                    return Ok(None);
                };
                let log = probe.offsets().await?;
                let next = partition.committed_offset.load(Ordering::Acquire) + 1;
                lag += (log.end - next.max(log.start)).max(0).cast_unsigned();
            }
        }
        Ok(Some(lag))
    }

    async fn connect(&self) -> Result<Vec<Vec<OffsetProbe>>> {
        let client = self.cluster.connect().await?;
        let mut all = Vec::new();
        for (topic, _) in &self.stages {
            let mut probes = Vec::new();
            for partition in 0..topic::partition_count(&client, topic).await? {
                probes.push(OffsetProbe::open(&client, topic, partition).await?);
            }
            all.push(probes);
        }
        Ok(all)
    }

    /// Alerts since the start.
    fn alerts(&self) -> u64 {
        let of = |(_, status): &(_, Arc<StageStatus>)| status.destinations().remove("alert");
        let alerts = self.stages.iter().filter_map(of);
        alerts.map(|it| it.records.load(Ordering::Relaxed)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resumed_replay_counts_what_had_arrived() {
        let began = Progress {
            steps: 100,
            steps_total: 300,
            records: 1_000,
            records_total: Some(3_000),
        };
        assert_eq!(records(20, Some(began)), "1,020 of 3,000 records");
        let endless = Progress {
            records_total: None,
            ..began
        };
        assert_eq!(records(20, Some(endless)), "20 records");
        assert_eq!(records(1, None), "1 record");
    }
}
