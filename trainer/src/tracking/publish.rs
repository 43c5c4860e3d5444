//! A local run, given to an MLflow server later.

use super::backend::Tracking;
use super::error::TrackingError;
use super::local::LocalTracking;
use super::mlflow::MlflowTracking;
use super::run::{RunRecord, RunStatus};
use super::version::{Alias, ModelVersion};

/// By this tag a server's run is known as that of a local one.
const LOCAL_RUN_TAG: &str = "coinlake.local_run";

/// What publishing did.
#[derive(Debug)]
pub struct Published {
    /// The run in the server.
    pub run: String,
    /// Whether it was there already, whole.
    pub known: bool,
    /// The versions that stand for its models; `staging` points at the new ones.
    pub versions: Vec<ModelVersion>,
}

/// Uploads a run with everything it holds and registers its models, which go to staging. Doing it again, also after an
/// upload that broke off, makes nothing twice.
///
/// # Errors
/// When the run is not there or did not finish, or the server refuses.
pub async fn publish(
    local: &LocalTracking,
    id: &str,
    experiment: Option<&str>,
    server: &MlflowTracking,
) -> Result<Published, TrackingError> {
    let (mut beginning, record, mut given) = local.given(id)?;
    if let Some(experiment) = experiment {
        experiment.clone_into(&mut beginning.experiment);
    }
    let local_run = (LOCAL_RUN_TAG.to_owned(), id.to_owned());
    beginning.tags.extend([local_run.clone()]);
    given.tags.extend([local_run]);
    let ended_ms = record.ended_ms.unwrap_or(record.started_ms);

    let found = server
        .run_with_tag(&beginning.experiment, LOCAL_RUN_TAG, id)
        .await?;
    let known = found.as_ref().is_some_and(|(_, found)| is_whole(found));
    let run = match found {
        Some((run, _)) => run,
        None => server.start(&beginning).await?,
    };
    if record.status != RunStatus::Finished {
        // It has no models, and why it failed is among its tags.
        let reason = record.tags.get("failure").map_or("", String::as_str);
        server
            .abandon(&run, ended_ms, record.status, reason)
            .await?;
    } else if !known {
        server.finish(&run, ended_ms, &given).await?;
    }
    let mut versions = Vec::new();
    for model in &given.models {
        let mut version = server.register(&run, &model.name).await?;
        // Publishing an old run again must not take staging away from a newer version.
        if !known {
            server
                .set_alias(&model.name, Alias::Staging, version.version)
                .await?;
            version.aliases = vec![Alias::Staging.to_string()];
        }
        versions.push(version);
    }
    Ok(Published {
        run: run.id,
        known,
        versions,
    })
}

fn is_whole(run: &RunRecord) -> bool {
    run.status != RunStatus::Running
}
