//! How far the lake's last day is from what the models in production were made with, told to whoever watches.

use metrics::{describe_gauge, gauge};
use trainer::Metric;
use trainer::production::{ModelDrift, production_drift};
use trainer::tracking::Tracking;

/// The scores' place among the inputs, for metrics.
const SCORES: &str = "score";

/// Computes it and sets the gauges; what stands in the way is told and does no harm.
pub async fn look(tracking: &dyn Tracking, lake: &str) -> Vec<ModelDrift> {
    let (drifts, problems) = production_drift(tracking, lake).await;
    for problem in problems {
        tracing::warn!("drift is unknown: {problem}");
    }
    describe_gauge!(
        "coinlake_model_drift_psi",
        "Population stability index of the lake's last day against what the model in production was trained on"
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
pub fn metrics(drifts: &[ModelDrift]) -> impl Iterator<Item = Metric> {
    drifts.iter().flat_map(|drift| {
        parts(drift).map(|(what, psi)| Metric {
            name: format!("{}/production_drift/{what}", drift.model),
            value: psi,
            step: 0,
        })
    })
}

/// Every input and the scores.
fn parts(drift: &ModelDrift) -> impl Iterator<Item = (&str, f64)> {
    let inputs = drift
        .inputs
        .iter()
        .map(|(input, psi)| (input.as_str(), *psi));
    inputs.chain(drift.scores.map(|psi| (SCORES, psi)))
}
