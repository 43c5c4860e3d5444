//! The models in production.

use std::path::Path;

use anyhow::{Result, anyhow};
use market::model::ModelPair;
use trainer::data::Label;
use trainer::production::production_pair;
use trainer::tracking::{Tracking, TrackingError};

use super::tracking::open_tracking;

/// The models in production according to the MLflow server or the data directory.
///
/// Problems are logged and their model is left out: the deployment then keeps the model that the cluster serves.
pub(crate) async fn models_in_production(data: &Path) -> ModelPair {
    let tracking = match open_tracking(data) {
        Ok(tracking) => tracking,
        Err(error) => {
            tracing::warn!("cannot look for models in production: {error:#}");
            return ModelPair::default();
        }
    };
    if let Err(error) = tracking.check().await {
        tracing::warn!("cannot look for models in production: {error}");
        return ModelPair::default();
    }
    let (pair, problems) = production_pair(tracking.as_ref()).await;
    for (_, problem) in problems {
        warn(&problem);
    }
    pair
}

/// The models in production after a promotion of the labels `promoted`. A problem with another label is logged.
///
/// # Errors
/// When the model of a promoted label cannot be read.
pub(crate) async fn promoted_models(
    tracking: &dyn Tracking,
    promoted: &[Label],
) -> Result<ModelPair> {
    let (pair, problems) = production_pair(tracking).await;
    for (label, problem) in problems {
        if promoted.contains(&label) {
            return Err(problem.into());
        }
        warn(&problem);
    }
    for label in promoted {
        let is_there = match label {
            Label::AnomalyAhead => pair.anomaly.is_some(),
            Label::TrendUp => pair.trend.is_some(),
        };
        if !is_there {
            let place = tracking.place();
            return Err(anyhow!("{place} has no {label} in production"));
        }
    }
    Ok(pair)
}

fn warn(problem: &TrackingError) {
    match problem {
        TrackingError::Outdated { .. } => tracing::warn!("{problem}"),
        _ => tracing::warn!("{problem}; the broker keeps serving the model it has"),
    }
}

#[cfg(test)]
mod tests {
    use trainer::tracking::{Alias, Beginning, LocalTracking};
    use trainer::{Run, TrainedModel};

    use super::*;

    #[tokio::test]
    async fn a_promoted_model_that_cannot_be_read_is_an_error_and_another_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let tracking = LocalTracking::new(folder.path());
        let missing = promoted_models(&tracking, &[Label::TrendUp]).await;
        let missing = missing.unwrap_err().to_string();
        assert!(missing.contains("no trend_up in production"), "{missing}");

        let beginning = Beginning {
            experiment: "damaged".to_owned(),
            name: "a run".to_owned(),
            started_ms: 0,
            tags: Default::default(),
        };
        let damaged = Run {
            models: vec![TrainedModel {
                name: "trend_up".to_owned(),
                bytes: b"not a model".to_vec(),
                metrics: Default::default(),
            }],
            ..Run::default()
        };
        let run = tracking.start(&beginning).await.unwrap();
        tracking.finish(&run, 1, &damaged).await.unwrap();
        let version = tracking.register(&run, "trend_up").await.unwrap();
        let moved = tracking.set_alias("trend_up", Alias::Production, version.version);
        moved.await.unwrap();
        let refused = promoted_models(&tracking, &[Label::TrendUp]).await;
        let refused = refused.unwrap_err().to_string();
        assert!(
            refused.contains("trend_up/1") && refused.contains("cannot serve"),
            "{refused}"
        );
        assert!(promoted_models(&tracking, &[]).await.unwrap().is_empty());
    }
}
