//! How training again and again goes: for probes, and for Prometheus.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use connector_runtime::process::monitor::Observed;
use metrics::{
    Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};

/// Why the last training failed, if it did.
#[derive(Debug, Default)]
pub struct TrainStatus(Mutex<Option<String>>);

impl TrainStatus {
    /// Every counter is there from the start, so that its first step shows as one.
    pub fn started(&self) {
        describe_counter!("coinlake_train_runs_total", "Trainings by how they ended");
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
        // A histogram is there once somebody holds it.
        let _ = histogram!("coinlake_train_seconds");
    }

    /// A training ended.
    pub fn trained(&self, result: &Result<()>, took: Duration) {
        let name = match result {
            Ok(()) => "ok",
            Err(_) => "failed",
        };
        counter!("coinlake_train_runs_total", "result" => name).increment(1);
        histogram!("coinlake_train_seconds").record(took);
        if result.is_ok() {
            let now = SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default();
            gauge!("coinlake_train_last_success_timestamp_seconds").set(now.as_secs_f64());
        }
        let why = result.as_ref().err().map(|error| format!("{error:#}"));
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = why;
    }
}

/// Ready: the last training, if there was one, did not fail.
impl Observed for TrainStatus {
    fn alive(&self) -> Result<(), String> {
        Ok(())
    }

    fn ready(&self) -> Result<(), String> {
        let failed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*failed {
            Some(why) => Err(format!("the last training failed: {why}")),
            None => Ok(()),
        }
    }
}
