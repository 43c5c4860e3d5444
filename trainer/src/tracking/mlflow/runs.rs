//! Runs of a server, and their files.

use bytes::Bytes;
use serde_json::json;

use super::batches::batches;
use super::client::Client;
use super::failure::Failure;
use super::wire::{Nothing, RunReply, RunsReply, WireRun, WireStatus};
use crate::run::Run;
use crate::tracking::error::TrackingError;
use crate::tracking::run::RunStatus;

impl Client {
    /// The run of an experiment with this tag, searched once.
    pub(super) async fn tagged(
        &self,
        experiment: &str,
        tag: &str,
        value: &str,
    ) -> Result<Option<WireRun>, Failure> {
        let body = json!({
            "experiment_ids": [experiment],
            "filter": format!("tags.`{tag}` = '{value}'"),
            "max_results": 1,
        });
        let reply: RunsReply = self
            .http
            .post_once("search runs", "runs/search", &body)
            .await?;
        Ok(reply.runs.into_iter().next())
    }

    pub(super) async fn wire_run(&self, id: &str) -> Result<WireRun, TrackingError> {
        let query = [("run_id", id)];
        let what = format!("show run {id}");
        let reply: Result<RunReply, _> = self.http.get(&what, "runs/get", &query).await;
        match reply {
            Ok(reply) => Ok(reply.run),
            // An id of another form is refused before the search.
            Err(failure) if failure.is_not_found() || failure.is("INVALID_PARAMETER_VALUE") => {
                Err(TrackingError::UnknownRun {
                    run: id.to_owned(),
                    place: self.place(),
                })
            }
            Err(failure) => Err(failure.into()),
        }
    }

    pub(super) async fn log(
        &self,
        run: &str,
        at_ms: i64,
        results: &Run,
    ) -> Result<(), TrackingError> {
        for batch in batches(run, at_ms, results) {
            let what = format!("store params, metrics and tags of run {run}");
            let _: Nothing = self.http.post(&what, "runs/log-batch", &batch).await?;
        }
        Ok(())
    }

    pub(super) async fn end(
        &self,
        run: &str,
        ended_ms: i64,
        status: RunStatus,
    ) -> Result<(), TrackingError> {
        let body = json!({
            "run_id": run,
            "status": WireStatus::from(status),
            "end_time": ended_ms,
        });
        let what = format!("mark run {run} as {status}");
        let _: serde::de::IgnoredAny = self.http.post(&what, "runs/update", &body).await?;
        Ok(())
    }

    /// The name of a file in the server's artifact proxy. `folder` is a URI such as `mlflow-artifacts:/1/…/artifacts`.
    pub(super) fn artifact_name(&self, folder: &str, path: &str) -> Result<String, TrackingError> {
        let below = match url::Url::parse(folder) {
            // A host in the URI names another server, which needs other credentials.
            Ok(url) if url.scheme() == "mlflow-artifacts" && !url.has_host() => {
                url.path().trim_matches('/').to_owned()
            }
            _ => {
                return Err(TrackingError::ArtifactsElsewhere {
                    server: self.http.server(),
                    uri: folder.to_owned(),
                });
            }
        };
        Ok(format!("{below}/{path}"))
    }

    pub(super) async fn fetch(
        &self,
        folder: &str,
        run: &str,
        path: &str,
    ) -> Result<Bytes, TrackingError> {
        let name = self.artifact_name(folder, path)?;
        match self
            .http
            .get_file(&format!("send {path} of run {run}"), &name)
            .await
        {
            Ok(contents) => Ok(contents),
            Err(failure) if failure.is_not_found() => Err(TrackingError::MissingFile {
                run: run.to_owned(),
                path: path.to_owned(),
                place: self.place(),
            }),
            Err(failure) => Err(failure.into()),
        }
    }
}
