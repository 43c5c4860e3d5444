//! The live progress line of `coinlake demo` and `up`.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Result;
use connector_runtime::cluster::Client;
use connector_runtime::process::log;
use indicatif::{ProgressBar, ProgressStyle};
use parquet_sink::StageStatus;
use tokio_util::task::AbortOnDropHandle;

use super::end_offsets::end_offsets;
use super::running::Platform;

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
        let style = "{spinner} {elapsed_precise} {msg}";
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
                let of = records_total.map_or_else(String::new, |total| format!(" of {total}"));
                let lag = lag.map_or_else(|| "unknown".to_owned(), |lag| lag.to_string());
                let alerts = alerts(&stages);
                drawn.set_message(format!(
                    "{sent}{of} records · {rate:.0}/s · lag {lag} · {alerts} alerts"
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

/// Records that the stage reading their topic has not processed yet.
async fn lag(client: &Client, stages: &[(String, Arc<StageStatus>)]) -> Result<i64> {
    let mut lag = 0;
    for (topic, status) in stages {
        let end: u64 = end_offsets(client, topic).await?.iter().sum();
        lag += (end.cast_signed() - status.next_input()).max(0);
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
