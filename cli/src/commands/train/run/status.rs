//! Probes and Prometheus metrics of regular training.

use std::time::Duration;

use anyhow::Result;
use connector_runtime::process::monitor::Observed;
use jiff::Timestamp;
use metrics::{
    Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};
use parking_lot::Mutex;

/// Alive as long as the process runs; ready unless the last training failed. Holds why it failed.
#[derive(Debug, Default)]
pub(crate) struct TrainStatus(Mutex<Option<String>>);

impl TrainStatus {
    /// Exports every metric as zero, so that the first increment is visible as one.
    pub(crate) fn started(&self) {
        describe_counter!("coinlake_train_runs_total", "Trainings by result");
        describe_histogram!(
            "coinlake_train_seconds",
            Unit::Seconds,
            "How long a training took"
        );
        describe_gauge!(
            "coinlake_train_last_success_timestamp_seconds",
            Unit::Seconds,
            "When a training last succeeded"
        );
        for result in ["ok", "failed"] {
            counter!("coinlake_train_runs_total", "result" => result).increment(0);
        }
        // Creating the handle exports the histogram.
        let _ = histogram!("coinlake_train_seconds");
    }

    /// Records the end of a training.
    pub(crate) fn trained(&self, result: &Result<()>, took: Duration) {
        let name = match result {
            Ok(()) => "ok",
            Err(_) => "failed",
        };
        counter!("coinlake_train_runs_total", "result" => name).increment(1);
        histogram!("coinlake_train_seconds").record(took);
        if result.is_ok() {
            let now = Timestamp::now().as_duration();
            gauge!("coinlake_train_last_success_timestamp_seconds").set(now.as_secs_f64());
        }
        let failure = result.as_ref().err().map(|error| format!("{error:#}"));
        *self.0.lock() = failure;
    }
}

impl Observed for TrainStatus {
    fn alive(&self) -> Result<(), String> {
        Ok(())
    }

    fn ready(&self) -> Result<(), String> {
        let failure = self.0.lock();
        match &*failure {
            Some(error) => Err(format!("the last training failed: {error}")),
            None => Ok(()),
        }
    }
}
