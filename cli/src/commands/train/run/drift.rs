//! How far the lake's last day has drifted from what the models in production were trained on, as metrics.

use metrics::{describe_gauge, gauge};
use trainer::Metric;
use trainer::production::{ModelDrift, production_drift};
use trainer::tracking::Tracking;

/// Names the predictions, beside the names of the inputs.
const SCORES: &str = "score";

/// Measures the drift and sets the gauges. Problems are logged: they must not stop a training.
pub(crate) async fn measure(tracking: &dyn Tracking, lake: &str) -> Vec<ModelDrift> {
    let (drifts, problems) = production_drift(tracking, lake).await;
    for problem in problems {
        tracing::warn!("drift is unknown: {problem}");
    }
    describe_gauge!(
        "coinlake_model_drift_psi",
        "Population stability index of the lake's last day against the training data of the model in production"
    );
    for drift in &drifts {
        for (what, psi) in parts(drift) {
            gauge!(
                "coinlake_model_drift_psi",
                "model" => drift.model.clone(), "of" => what.to_owned()
            )
            .set(psi);
        }
    }
    drifts
}

/// The drift as metrics of a run.
pub(crate) fn metrics(drifts: &[ModelDrift]) -> impl Iterator<Item = Metric> {
    drifts.iter().flat_map(|drift| {
        parts(drift).map(|(what, psi)| Metric {
            name: format!("{}/production_drift/{what}", drift.model),
            value: psi,
            step: 0,
        })
    })
}

/// Every input and the scores, with their index.
fn parts(drift: &ModelDrift) -> impl Iterator<Item = (&str, f64)> {
    let inputs = drift
        .inputs
        .iter()
        .map(|(input, psi)| (input.as_str(), *psi));
    inputs.chain(drift.scores.map(|psi| (SCORES, psi)))
}
