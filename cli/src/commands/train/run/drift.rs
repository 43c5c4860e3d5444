//! How far the lake's last day has drifted from what the models in production were trained on.

use trainer::production::{ModelDrift, production_drift};
use trainer::tracking::Tracking;

/// Measures the drift. Problems are logged: they must not stop a training.
pub(crate) async fn measure(tracking: &dyn Tracking, lake: &str) -> Vec<ModelDrift> {
    let (drifts, problems) = production_drift(tracking, lake).await;
    for problem in problems {
        tracing::warn!("drift is unknown: {problem}");
    }
    drifts
}
