//! The live progress line of `coinlake demo` and `up`.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Result;
use coingecko_source::BACKFILLING;
use connector_runtime::cluster::Client;
use connector_runtime::process::log;
use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use parquet_sink::StageStatus;
use tokio_util::task::AbortOnDropHandle;

use super::end_offsets::end_offsets;
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
    /// Starts to draw. A live market has no `records_total`.
    pub(crate) fn start(platform: &Platform, records_total: Option<u64>) -> Self {
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
        let stages: Vec<(String, Arc<StageStatus>)> = platform
            .stages()
            .iter()
            .map(|stage| (stage.topic.clone(), Arc::clone(&stage.status)))
            .collect();
        let source = platform.source_status();
        let cluster = platform.cluster().clone();
        let drawn = bar.clone();
        let task = tokio::spawn(async move {
            let mut refresh = tokio::time::interval(REFRESH_INTERVAL);
            let mut before = source.records.load(Ordering::Relaxed);
            let mut client = None;
            loop {
                refresh.tick().await;
                if client.is_none() {
                    client = cluster.connect().await.ok();
                }
                let lag = match &client {
                    Some(connected) => lag(connected, &stages).await.ok(),
                    None => None,
                };
                if lag.is_none() {
                    // A client does not survive a restart of the broker.
                    client = None;
                }
                let sent = source.records.load(Ordering::Relaxed);
                let rate = (sent - before) as f64 / REFRESH_INTERVAL.as_secs_f64();
                before = sent;
                let records = match records_total {
                    None => counted(sent, "record"),
                    Some(total) => format!("{} of {} records", HumanCount(sent), HumanCount(total)),
                };
                let lag = lag.map_or_else(
                    || "unknown".to_owned(),
                    |lag| HumanCount(lag.unsigned_abs()).to_string(),
                );
                let alerts = alerts(&stages);
                if let Some((done, coins)) = source.backfilling() {
                    drawn.set_message(filled(done, coins));
                    continue;
                }
                drawn.set_message(format!(
                    "{records} · {rate:.0}/s · lag {lag} · {}",
                    counted(alerts, "alert")
                ));
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

/// How much of the past is there.
fn filled(done: usize, coins: usize) -> String {
    let width = (done * BAR_CHARS).checked_div(coins).unwrap_or_default();
    let bar = "█".repeat(width) + &"░".repeat(BAR_CHARS - width.min(BAR_CHARS));
    format!("{bar} {BACKFILLING} {done} of {coins} coins")
}

/// Records that are not in the lake yet, of the topics that stages read.
async fn lag(client: &Client, stages: &[(String, Arc<StageStatus>)]) -> Result<i64> {
    let mut lag = 0;
    for (topic, status) in stages {
        let end: u64 = end_offsets(client, topic).await?.iter().sum();
        lag += (end.cast_signed() - status.next_uncommitted()).max(0);
    }
    Ok(lag)
}

/// Alerts since the start.
fn alerts(stages: &[(String, Arc<StageStatus>)]) -> u64 {
    stages
        .iter()
        .filter_map(|(_, status)| status.destinations().remove("alert"))
        .map(|alerts| alerts.records.load(Ordering::Relaxed))
        .sum()
}
