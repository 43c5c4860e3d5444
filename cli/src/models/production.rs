//! The models in production.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, anyhow};
use market::model::ModelPair;
use trainer::data::Label;
use trainer::production::production_pair;
use trainer::tracking::{Tracking, TrackingError};

use super::tracking::open_tracking;

/// How long reading the models may take. The platform starts after that, and an MLflow server whose files hang is asked again for a
/// quarter of an hour.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

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
    read_within(READ_TIMEOUT, tracking.as_ref()).await
}

async fn read_within(limit: Duration, tracking: &dyn Tracking) -> ModelPair {
    if let Err(error) = tracking.check().await {
        tracing::warn!("cannot look for models in production: {error}");
        return ModelPair::default();
    }
    let Ok((pair, problems)) = tokio::time::timeout(limit, production_pair(tracking)).await else {
        let (place, secs) = (tracking.place(), limit.as_secs());
        tracing::warn!(
            "{place} does not give the models in production within {secs} s; the broker keeps serving those it has"
        );
        return ModelPair::default();
    };
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
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;
    use trainer::tracking::{Alias, Beginning, LocalTracking, MlflowServer, MlflowTracking};
    use trainer::{Run, TrainedModel};

    use super::*;

    #[tokio::test]
    async fn a_server_that_hangs_does_not_hold_up_a_start() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            // It answers whether it is there, and nothing else.
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut asked = [0; 4096];
                    while let Ok(1..) = stream.read(&mut asked).await {
                        if asked.starts_with(b"GET /api/2.0/mlflow/experiments/search") {
                            let reply = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
                            stream.write_all(reply).await.unwrap();
                        }
                    }
                });
            }
        });
        let uri = |name: &str| (name == "MLFLOW_TRACKING_URI").then(|| uri.clone());
        let server = MlflowServer::from_variables(uri).unwrap().unwrap();
        let tracking = MlflowTracking::new(&server).unwrap();
        tracking.check().await.unwrap();
        let read = read_within(Duration::from_millis(100), &tracking);
        let read = tokio::time::timeout(Duration::from_secs(30), read).await;
        assert!(read.unwrap().is_empty());
    }

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
