//! Uploads a local run to an MLflow server.

use super::backend::Tracking;
use super::error::TrackingError;
use super::local::LocalTracking;
use super::mlflow::MlflowTracking;
use super::run::{RunRecord, RunStatus};
use super::version::{Alias, ModelVersion};

/// The tag of a server's run with the id of the local run it was uploaded from.
const LOCAL_RUN_TAG: &str = "coinlake.local_run";

/// The result of publishing.
#[derive(Debug)]
pub struct Published {
    /// The run on the server.
    pub run: String,
    /// Whether it was there already, complete.
    pub known: bool,
    /// The versions of its models; `staging` points at the new ones.
    pub versions: Vec<ModelVersion>,
}

/// Uploads a run with all its files and registers its models, which go to staging. Repeating it, even after an interrupted
/// upload, creates no duplicates.
///
/// # Errors
/// When the run does not exist, a file of it cannot be read, or the server reports an error.
pub async fn publish(
    local: &LocalTracking,
    id: &str,
    experiment: Option<&str>,
    server: &MlflowTracking,
) -> Result<Published, TrackingError> {
    let (mut beginning, record, mut results) = local.results(id)?;
    if let Some(experiment) = experiment {
        experiment.clone_into(&mut beginning.experiment);
    }
    let local_run = (LOCAL_RUN_TAG.to_owned(), id.to_owned());
    beginning.tags.extend([local_run.clone()]);
    results.tags.extend([local_run]);
    let ended_ms = record.ended_ms.unwrap_or(record.started_ms);

    let found = server
        .run_with_tag(&beginning.experiment, LOCAL_RUN_TAG, id)
        .await?;
    let known = found.as_ref().is_some_and(|(_, found)| is_complete(found));
    let run = match found {
        Some((run, _)) => run,
        None => server.start(&beginning).await?,
    };
    if record.status != RunStatus::Finished {
        // It has no models; its tags have the reason of the failure.
        let reason = record.tags.get("failure").map_or("", String::as_str);
        server
            .abandon(&run, ended_ms, record.status, reason)
            .await?;
    } else if !known {
        server.finish(&run, ended_ms, &results).await?;
    }
    let mut versions = Vec::new();
    for model in &results.models {
        let mut version = server.register(&run, &model.name).await?;
        // Publishing an old run again must not take staging away from a newer version, and completes one that was interrupted.
        let staged = server.version_at(&model.name, Alias::Staging).await;
        let is_newer =
            staged.is_ok_and(|staged| staged.is_none_or(|staged| staged.version < version.version));
        if !known || is_newer {
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

fn is_complete(run: &RunRecord) -> bool {
    run.status != RunStatus::Running
}
