//! [`Tracking`] on a server.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::json;

use super::client::Client;
use super::wire::{ModelVersionReply, Nothing, Pair, RunReply, RunsReply, pairs};
use crate::run::Run;
use crate::tracking::backend::Tracking;
use crate::tracking::error::TrackingError;
use crate::tracking::layout::{MODEL_FILE, model_folder, model_path};
use crate::tracking::run::{Beginning, OpenRun, RunRecord, RunStatus};
use crate::tracking::settings::MlflowServer;
use crate::tracking::version::{Alias, ModelVersion};

/// How long a check waits.
const CHECK_TIMEOUT: Duration = Duration::from_secs(5);
/// How many runs a request asks for.
const RUNS_PER_PAGE: usize = 100;
/// Recognizes a run after its reply was lost.
const BEGINNING_TAG: &str = "coinlake.beginning";

/// An MLflow server. Holds connections, not state.
#[derive(Debug)]
pub struct MlflowTracking {
    client: Client,
}

impl MlflowTracking {
    /// Does not connect yet.
    ///
    /// # Errors
    /// When this machine cannot make HTTP connections at all.
    pub fn new(server: &MlflowServer) -> Result<Self, TrackingError> {
        Ok(Self {
            client: Client::new(server)?,
        })
    }

    /// The run of an experiment with this tag, if there is one.
    pub(in crate::tracking) async fn run_with_tag(
        &self,
        experiment: &str,
        tag: &str,
        value: &str,
    ) -> Result<Option<(OpenRun, RunRecord)>, TrackingError> {
        let Some(known) = self.client.experiment(experiment).await? else {
            return Ok(None);
        };
        let id = known.experiment_id.as_str();
        let search = |_again: bool| self.client.tagged(id, tag, value);
        let run = self.client.http.retrying(search).await?;
        Ok(run.map(|run| {
            let open = OpenRun {
                id: run.info.run_id.clone(),
                files: run.info.artifact_uri.clone(),
                beginning: Beginning {
                    experiment: experiment.to_owned(),
                    name: run.info.run_name.clone(),
                    started_ms: run.info.start_time,
                    tags: BTreeMap::new(),
                },
            };
            (open, run.into_record(&self.client.server))
        }))
    }
}

#[async_trait]
impl Tracking for MlflowTracking {
    fn place(&self) -> String {
        self.client.place()
    }

    async fn check(&self) -> Result<(), TrackingError> {
        let query = [("max_results", "1")];
        let ask = self.client.http.get_once::<serde::de::IgnoredAny>(
            "show experiments",
            "experiments/search",
            &query,
        );
        match tokio::time::timeout(CHECK_TIMEOUT, ask).await {
            Ok(answer) => Ok(answer.map(|_| ())?),
            Err(_) => Err(TrackingError::Unreachable {
                server: self.client.http.server(),
                reason: format!("no reply within {} s", CHECK_TIMEOUT.as_secs()),
            }),
        }
    }

    async fn start(&self, beginning: &Beginning) -> Result<OpenRun, TrackingError> {
        let experiment = self.client.usable_experiment(&beginning.experiment).await?;
        let key = format!("{:016x}", rand::random::<u64>());
        let mut tags = pairs(&beginning.tags);
        tags.push(Pair {
            key: BEGINNING_TAG.to_owned(),
            value: key.clone(),
        });
        let body = json!({
            "experiment_id": experiment,
            "run_name": beginning.name,
            "start_time": beginning.started_ms,
            "tags": tags,
        });
        let (experiment, key, body) = (&experiment, &key, &body);
        let attempt = move |again: bool| async move {
            if again && let Some(run) = self.client.tagged(experiment, BEGINNING_TAG, key).await? {
                return Ok(run);
            }
            let reply: RunReply = self
                .client
                .http
                .post_once("start a run", "runs/create", body)
                .await?;
            Ok(reply.run)
        };
        let run = self.client.http.retrying(attempt).await?;
        let run = OpenRun {
            id: run.info.run_id,
            files: run.info.artifact_uri,
            beginning: beginning.clone(),
        };
        // Fail now if the server does not store artifacts, not after the training. Only a run tells where they go.
        if let Err(error) = self.client.artifact_name(&run.files, "") {
            let (ended_ms, reason) = (beginning.started_ms, error.to_string());
            let marked = self.abandon(&run, ended_ms, RunStatus::Failed, &reason);
            if let Err(unmarked) = marked.await {
                tracing::warn!("run {} cannot be marked as failed: {unmarked}", run.id);
            }
            return Err(error);
        }
        Ok(run)
    }

    async fn finish(
        &self,
        run: &OpenRun,
        ended_ms: i64,
        results: &Run,
    ) -> Result<(), TrackingError> {
        self.client.log(&run.id, ended_ms, results).await?;
        let models = results.models.iter();
        let models = models.map(|model| (model_path(&model.name), &model.bytes));
        let artifacts = results.artifacts.iter();
        let artifacts = artifacts.map(|artifact| (artifact.path.clone(), &artifact.bytes));
        for (path, contents) in artifacts.chain(models) {
            let name = self.client.artifact_name(&run.files, &path)?;
            let what = format!("store {path} of run {}", run.id);
            self.client
                .http
                .put_file(&what, &name, Bytes::copy_from_slice(contents))
                .await?;
        }
        self.client
            .end(&run.id, ended_ms, RunStatus::Finished)
            .await
    }

    async fn abandon(
        &self,
        run: &OpenRun,
        ended_ms: i64,
        status: RunStatus,
        reason: &str,
    ) -> Result<(), TrackingError> {
        let results = Run {
            tags: BTreeMap::from([("failure".to_owned(), reason.to_owned())]),
            ..Run::default()
        };
        self.client.log(&run.id, ended_ms, &results).await?;
        self.client.end(&run.id, ended_ms, status).await
    }

    async fn runs(
        &self,
        experiment: &str,
        at_most: usize,
    ) -> Result<Vec<RunRecord>, TrackingError> {
        let Some(experiment) = self.client.experiment(experiment).await? else {
            return Ok(Vec::new());
        };
        let mut runs = Vec::new();
        let mut token = String::new();
        while runs.len() < at_most {
            let body = json!({
                "experiment_ids": [experiment.experiment_id],
                "order_by": ["attributes.start_time DESC"],
                "max_results": RUNS_PER_PAGE.min(at_most - runs.len()),
                "page_token": token,
            });
            let page: RunsReply = self
                .client
                .http
                .post("search runs", "runs/search", &body)
                .await?;
            let records = page.runs.into_iter();
            runs.extend(records.map(|run| run.into_record(&self.client.server)));
            match page.next_page_token {
                Some(next) if !next.is_empty() => token = next,
                _ => break,
            }
        }
        Ok(runs)
    }

    async fn run(&self, id: &str) -> Result<RunRecord, TrackingError> {
        Ok(self
            .client
            .wire_run(id)
            .await?
            .into_record(&self.client.server))
    }

    async fn file(&self, run: &str, path: &str) -> Result<Bytes, TrackingError> {
        let folder = self.client.wire_run(run).await?.info.artifact_uri;
        self.client.fetch(&folder, run, path).await
    }

    async fn register(&self, run: &OpenRun, model: &str) -> Result<ModelVersion, TrackingError> {
        let what = format!("register model {model}");
        let body = json!({ "name": model });
        let created: Result<serde::de::IgnoredAny, _> = self
            .client
            .http
            .post(&what, "registered-models/create", &body)
            .await;
        match created {
            Err(failure) if !failure.is("RESOURCE_ALREADY_EXISTS") => return Err(failure.into()),
            _ => {}
        }
        let source = format!(
            "{}/{}",
            run.files.trim_end_matches('/'),
            model_folder(model)
        );
        let of_this_run = format!("name = '{model}' and run_id = '{}'", run.id);
        let what = format!("create a version of {model}");
        let body = json!({ "name": model, "source": source, "run_id": run.id });
        let (what, body, of_this_run) = (&what, &body, &of_this_run);
        // Search before every attempt, the first included: publishing a run twice creates no second version.
        let attempt = move |_again: bool| async move {
            let found = self.client.search_versions(of_this_run).await?;
            if let Some(version) = found.into_iter().next() {
                return Ok(version);
            }
            let reply: ModelVersionReply = self
                .client
                .http
                .post_once(what, "model-versions/create", body)
                .await?;
            Ok(reply.model_version)
        };
        let version = self.client.http.retrying(attempt).await?;
        let aliases = self.client.registered(model).await?.unwrap_or_default();
        self.client.version(version, &aliases)
    }

    async fn note(&self, version: &ModelVersion, note: &str) -> Result<(), TrackingError> {
        let body = json!({
            "name": version.model,
            "version": version.version.to_string(),
            "description": note,
        });
        let what = format!("describe {}/{}", version.model, version.version);
        let _: serde::de::IgnoredAny = self
            .client
            .http
            .patch(&what, "model-versions/update", &body)
            .await?;
        Ok(())
    }

    async fn versions(&self, model: &str) -> Result<Vec<ModelVersion>, TrackingError> {
        let Some(registered) = self.client.registered(model).await? else {
            return Ok(Vec::new());
        };
        let filter = format!("name = '{model}'");
        let search = |_again: bool| self.client.search_versions(&filter);
        let found = self.client.http.retrying(search).await?;
        let versions = found
            .into_iter()
            .map(|version| self.client.version(version, &registered));
        let mut versions = versions.collect::<Result<Vec<_>, _>>()?;
        versions.sort_by_key(|version| std::cmp::Reverse(version.version));
        Ok(versions)
    }

    async fn version_at(
        &self,
        model: &str,
        alias: Alias,
    ) -> Result<Option<ModelVersion>, TrackingError> {
        let Some(registered) = self.client.registered(model).await? else {
            return Ok(None);
        };
        let aliases = registered.aliases.iter();
        let Some(points_at) = aliases
            .into_iter()
            .find(|found| found.alias == alias.as_str())
        else {
            return Ok(None);
        };
        let query = [("name", model), ("version", points_at.version.as_str())];
        let what = format!("show {model}/{}", points_at.version);
        let reply: Result<ModelVersionReply, _> = self
            .client
            .http
            .get(&what, "model-versions/get", &query)
            .await;
        match reply {
            Ok(reply) => Ok(Some(self.client.version(reply.model_version, &registered)?)),
            Err(failure) if failure.is_not_found() => Err(TrackingError::Dangling {
                model: model.to_owned(),
                alias: alias.to_string(),
                target: format!("version {}", points_at.version),
                place: self.place(),
            }),
            Err(failure) => Err(failure.into()),
        }
    }

    async fn set_alias(
        &self,
        model: &str,
        alias: Alias,
        version: u32,
    ) -> Result<(), TrackingError> {
        let body = json!({
            "name": model,
            "alias": alias.as_str(),
            "version": version.to_string(),
        });
        let what = format!("point {alias} of {model} at version {version}");
        let reply: Result<Nothing, _> = self
            .client
            .http
            .post(&what, "registered-models/alias", &body)
            .await;
        match reply {
            Ok(_) => Ok(()),
            Err(failure) if failure.is_not_found() => Err(TrackingError::UnknownVersion {
                model: model.to_owned(),
                version,
                place: self.place(),
            }),
            Err(failure) => Err(failure.into()),
        }
    }

    async fn model(&self, version: &ModelVersion) -> Result<Bytes, TrackingError> {
        // Another tool may have registered it without a run.
        if version.run.is_empty() {
            return Err(TrackingError::Unservable {
                model: version.model.clone(),
                version: version.version,
                place: self.place(),
                reason: "it has no run: was it registered by another tool?".to_owned(),
            });
        }
        self.client
            .fetch(&version.source, &version.run, MODEL_FILE)
            .await
    }
}
