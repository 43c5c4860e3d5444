//! The models in production.

use std::path::Path;

use market::model::ModelPair;
use trainer::production::production_pair;
use trainer::tracking::TrackingError;

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
    for problem in problems {
        match problem {
            TrackingError::Outdated { .. } => tracing::warn!("{problem}"),
            _ => tracing::warn!("{problem}; the broker keeps serving the model it has"),
        }
    }
    pair
}
