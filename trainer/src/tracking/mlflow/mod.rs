//! Runs and model versions in an MLflow server.

mod http;
mod wire;

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::json;

use super::{
    Alias, Beginning, MlflowServer, ModelVersion, OpenRun, RunRecord, RunStatus, Tracking,
    TrackingError, model_folder, model_path,
};
use crate::run::Run;
use http::{Failure, Http};
use wire::{
    Experiment, ExperimentId, ExperimentReply, ModelVersionReply, ModelVersionsReply, Nothing,
    RegisteredModel, RegisteredModelReply, RunReply, RunsReply, WireRun, WireStatus, WireVersion,
    batches, pairs,
};

pub(super) use http::is_transient;

/// How long a check waits.
const CHECK_TIMEOUT: Duration = Duration::from_secs(5);
/// What the server takes in one page.
const RUNS_PER_PAGE: usize = 100;
const VERSIONS_PER_PAGE: usize = 100;
/// The UI shows experiments of this kind as model training, not as evaluations of agents.
const KIND_TAG: &str = "mlflow.experimentKind";
const KIND: &str = "custom_model_development";
/// Knows a run again after a reply was lost.
const BEGINNING_TAG: &str = "coinlake.beginning";

/// An MLflow server. Holds connections, not state.
#[derive(Debug)]
pub struct MlflowTracking {
    server: MlflowServer,
    http: Http,
}

impl MlflowTracking {
    /// Touches nothing yet.
    ///
    /// # Errors
    /// When this machine cannot make HTTP connections at all.
    pub fn new(server: &MlflowServer) -> Result<Self, TrackingError> {
        Ok(Self {
            server: server.clone(),
            http: Http::new(server)?,
        })
    }

    /// A run that a local one was uploaded to, if there is one.
    pub(super) async fn run_with_tag(
        &self,
        experiment: &str,
        tag: &str,
        value: &str,
    ) -> Result<Option<(OpenRun, RunRecord)>, TrackingError> {
        let Some(found) = self.experiment(experiment).await? else {
            return Ok(None);
        };
        let run = self.tagged(&found.experiment_id, tag, value).await?;
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
            (open, run.into_record(&self.server))
        }))
    }

    async fn experiment(&self, name: &str) -> Result<Option<Experiment>, TrackingError> {
        let query = [("experiment_name", name)];
        let what = format!("show experiment {name}");
        let reply: Result<ExperimentReply, _> = self
            .http
            .get(&what, "experiments/get-by-name", &query)
            .await;
        match reply {
            Ok(reply) => Ok(Some(reply.experiment)),
            Err(failure) if failure.is_not_found() => Ok(None),
            Err(failure) => Err(failure.into()),
        }
    }

    /// The experiment's number; makes it where there is none.
    async fn usable_experiment(&self, name: &str) -> Result<String, TrackingError> {
        let found = match self.experiment(name).await? {
            Some(found) => found,
            None => {
                let what = format!("make experiment {name}");
                let body = json!({ "name": name, "tags": [{ "key": KIND_TAG, "value": KIND }] });
                let made: Result<ExperimentId, _> =
                    self.http.post(&what, "experiments/create", &body).await;
                match made {
                    Ok(made) => return Ok(made.experiment_id),
                    // Made by another run a moment ago, or by a call of ours whose reply was lost.
                    Err(failure) if failure.is("RESOURCE_ALREADY_EXISTS") => {
                        match self.experiment(name).await? {
                            Some(found) => found,
                            None => return Err(failure.into()),
                        }
                    }
                    Err(failure) => return Err(failure.into()),
                }
            }
        };
        if found.lifecycle_stage == "active" {
            return Ok(found.experiment_id);
        }
        Err(TrackingError::ExperimentDeleted {
            name: name.to_owned(),
            id: found.experiment_id,
            server: self.http.server(),
        })
    }

    async fn tagged(
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
        let reply: RunsReply = self.http.post("search runs", "runs/search", &body).await?;
        Ok(reply.runs.into_iter().next())
    }

    async fn wire_run(&self, id: &str) -> Result<WireRun, TrackingError> {
        let query = [("run_id", id)];
        let what = format!("show run {id}");
        let reply: Result<RunReply, _> = self.http.get(&what, "runs/get", &query).await;
        match reply {
            Ok(reply) => Ok(reply.run),
            // An id of another shape is refused before it is looked for.
            Err(failure) if failure.is_not_found() || failure.is("INVALID_PARAMETER_VALUE") => {
                Err(TrackingError::UnknownRun {
                    run: id.to_owned(),
                    place: self.place(),
                })
            }
            Err(failure) => Err(failure.into()),
        }
    }

    async fn log(&self, run: &str, at_ms: i64, given: &Run) -> Result<(), TrackingError> {
        for batch in batches(run, at_ms, given) {
            let what = format!("keep params, metrics and tags of run {run}");
            let _: Nothing = self.http.post(&what, "runs/log-batch", &batch).await?;
        }
        Ok(())
    }

    async fn end(&self, run: &str, ended_ms: i64, status: RunStatus) -> Result<(), TrackingError> {
        let body = json!({
            "run_id": run,
            "status": WireStatus::from(status),
            "end_time": ended_ms,
        });
        let what = format!("mark run {run} as {status}");
        let _: serde::de::IgnoredAny = self.http.post(&what, "runs/update", &body).await?;
        Ok(())
    }

    /// What the server's artifact proxy calls a file of a folder such as `mlflow-artifacts:/1/…/artifacts`.
    fn artifact_name(&self, folder: &str, path: &str) -> Result<String, TrackingError> {
        let below = match url::Url::parse(folder) {
            // Another host than ours would be another server: it has credentials of its own.
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

    async fn fetch(&self, folder: &str, run: &str, path: &str) -> Result<Bytes, TrackingError> {
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

    /// The registered model, if there is one.
    async fn registered(&self, model: &str) -> Result<Option<RegisteredModel>, TrackingError> {
        let what = format!("show model {model}");
        let reply: Result<RegisteredModelReply, _> = self
            .http
            .get(&what, "registered-models/get", &[("name", model)])
            .await;
        match reply {
            Ok(reply) => Ok(Some(reply.registered_model)),
            Err(failure) if failure.is_not_found() => Ok(None),
            Err(failure) => Err(failure.into()),
        }
    }

    async fn search_versions(&self, filter: &str) -> Result<Vec<WireVersion>, Failure> {
        let mut versions = Vec::new();
        let mut token = String::new();
        let per_page = VERSIONS_PER_PAGE.to_string();
        loop {
            let mut query = vec![("filter", filter), ("max_results", per_page.as_str())];
            if !token.is_empty() {
                query.push(("page_token", &token));
            }
            let page: ModelVersionsReply = self
                .http
                .get("search model versions", "model-versions/search", &query)
                .await?;
            versions.extend(page.model_versions);
            match page.next_page_token {
                Some(next) if !next.is_empty() => token = next,
                _ => return Ok(versions),
            }
        }
    }

    fn version(
        &self,
        found: WireVersion,
        aliases: &RegisteredModel,
    ) -> Result<ModelVersion, TrackingError> {
        let version = self.version_number(&found.version)?;
        let aliases = aliases.aliases.iter();
        let of_this = aliases.filter(|alias| alias.version == found.version);
        Ok(ModelVersion {
            model: found.name,
            version,
            run: found.run_id,
            created_ms: found.creation_timestamp,
            aliases: of_this.map(|alias| alias.alias.clone()).collect(),
            note: found.description,
            source: found.source,
        })
    }

    fn version_number(&self, text: &str) -> Result<u32, TrackingError> {
        text.parse().map_err(|_| TrackingError::Foreign {
            server: self.http.server(),
            what: "show a model version".to_owned(),
            reason: format!("version `{text}` is no number"),
        })
    }
}

#[async_trait]
impl Tracking for MlflowTracking {
    fn place(&self) -> String {
        format!("the MLflow server at {}", self.http.server())
    }

    async fn check(&self) -> Result<(), TrackingError> {
        let query = [("max_results", "1")];
        let ask = self.http.get_once::<serde::de::IgnoredAny>(
            "show experiments",
            "experiments/search",
            &query,
        );
        match tokio::time::timeout(CHECK_TIMEOUT, ask).await {
            Ok(answer) => Ok(answer.map(|_| ())?),
            Err(_) => Err(TrackingError::Unreachable {
                server: self.http.server(),
                reason: format!("no reply within {} s", CHECK_TIMEOUT.as_secs()),
            }),
        }
    }

    async fn start(&self, beginning: &Beginning) -> Result<OpenRun, TrackingError> {
        let experiment = self.usable_experiment(&beginning.experiment).await?;
        let key = format!("{:016x}", rand::random::<u64>());
        let mut tags = pairs(&beginning.tags);
        tags.push(wire::Pair {
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
            if again && let Some(run) = self.tagged(experiment, BEGINNING_TAG, key).await? {
                return Ok(run);
            }
            let reply: RunReply = self
                .http
                .post_once("begin a run", "runs/create", body)
                .await?;
            Ok(reply.run)
        };
        let run = self.http.retrying(attempt).await?;
        // Found out now, not after the training.
        self.artifact_name(&run.info.artifact_uri, "")?;
        Ok(OpenRun {
            id: run.info.run_id,
            files: run.info.artifact_uri,
            beginning: beginning.clone(),
        })
    }

    async fn finish(&self, run: &OpenRun, ended_ms: i64, given: &Run) -> Result<(), TrackingError> {
        self.log(&run.id, ended_ms, given).await?;
        let models = given.models.iter();
        let models = models.map(|model| (model_path(&model.name), &model.bytes));
        let artifacts = given.artifacts.iter();
        let artifacts = artifacts.map(|artifact| (artifact.path.clone(), &artifact.bytes));
        for (path, contents) in artifacts.chain(models) {
            let name = self.artifact_name(&run.files, &path)?;
            let what = format!("keep {path} of run {}", run.id);
            self.http
                .put_file(&what, &name, Bytes::copy_from_slice(contents))
                .await?;
        }
        self.end(&run.id, ended_ms, RunStatus::Finished).await
    }

    async fn abandon(
        &self,
        run: &OpenRun,
        ended_ms: i64,
        status: RunStatus,
        reason: &str,
    ) -> Result<(), TrackingError> {
        let given = Run {
            tags: BTreeMap::from([("failure".to_owned(), reason.to_owned())]),
            ..Run::default()
        };
        self.log(&run.id, ended_ms, &given).await?;
        self.end(&run.id, ended_ms, status).await
    }

    async fn runs(
        &self,
        experiment: &str,
        at_most: usize,
    ) -> Result<Vec<RunRecord>, TrackingError> {
        let Some(found) = self.experiment(experiment).await? else {
            return Err(TrackingError::UnknownExperiment {
                name: experiment.to_owned(),
                place: self.place(),
            });
        };
        let mut runs = Vec::new();
        let mut token = String::new();
        while runs.len() < at_most {
            let body = json!({
                "experiment_ids": [found.experiment_id],
                "order_by": ["attributes.start_time DESC"],
                "max_results": RUNS_PER_PAGE.min(at_most - runs.len()),
                "page_token": token,
            });
            let page: RunsReply = self.http.post("search runs", "runs/search", &body).await?;
            let found = page.runs.into_iter();
            runs.extend(found.map(|run| run.into_record(&self.server)));
            match page.next_page_token {
                Some(next) if !next.is_empty() => token = next,
                _ => break,
            }
        }
        Ok(runs)
    }

    async fn run(&self, id: &str) -> Result<RunRecord, TrackingError> {
        Ok(self.wire_run(id).await?.into_record(&self.server))
    }

    async fn file(&self, run: &str, path: &str) -> Result<Bytes, TrackingError> {
        let folder = self.wire_run(run).await?.info.artifact_uri;
        self.fetch(&folder, run, path).await
    }

    async fn register(&self, run: &OpenRun, model: &str) -> Result<ModelVersion, TrackingError> {
        let what = format!("register model {model}");
        let body = json!({ "name": model });
        let made: Result<serde::de::IgnoredAny, _> = self
            .http
            .post(&what, "registered-models/create", &body)
            .await;
        match made {
            Err(failure) if !failure.is("RESOURCE_ALREADY_EXISTS") => return Err(failure.into()),
            _ => {}
        }
        let source = format!(
            "{}/{}",
            run.files.trim_end_matches('/'),
            model_folder(model)
        );
        let of_this_run = format!("name = '{model}' and run_id = '{}'", run.id);
        let what = format!("make a version of {model}");
        let body = json!({ "name": model, "source": source, "run_id": run.id });
        let (what, body, of_this_run) = (&what, &body, &of_this_run);
        // Looked for at every attempt, the first included: publishing a run twice makes no second version.
        let attempt = move |_again: bool| async move {
            let found = self.search_versions(of_this_run).await?;
            if let Some(version) = found.into_iter().next() {
                return Ok(version);
            }
            let reply: ModelVersionReply = self
                .http
                .post_once(what, "model-versions/create", body)
                .await?;
            Ok(reply.model_version)
        };
        let version = self.http.retrying(attempt).await?;
        let aliases = self.registered(model).await?.unwrap_or_default();
        self.version(version, &aliases)
    }

    async fn note(&self, version: &ModelVersion, note: &str) -> Result<(), TrackingError> {
        let body = json!({
            "name": version.model,
            "version": version.version.to_string(),
            "description": note,
        });
        let what = format!("describe {}/{}", version.model, version.version);
        let _: serde::de::IgnoredAny = self
            .http
            .patch(&what, "model-versions/update", &body)
            .await?;
        Ok(())
    }

    async fn versions(&self, model: &str) -> Result<Vec<ModelVersion>, TrackingError> {
        let Some(registered) = self.registered(model).await? else {
            return Ok(Vec::new());
        };
        let found = self.search_versions(&format!("name = '{model}'")).await?;
        let versions = found
            .into_iter()
            .map(|version| self.version(version, &registered));
        let mut versions = versions.collect::<Result<Vec<_>, _>>()?;
        versions.sort_by_key(|version| std::cmp::Reverse(version.version));
        Ok(versions)
    }

    async fn version_at(
        &self,
        model: &str,
        alias: Alias,
    ) -> Result<Option<ModelVersion>, TrackingError> {
        let Some(registered) = self.registered(model).await? else {
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
        let reply: Result<ModelVersionReply, _> =
            self.http.get(&what, "model-versions/get", &query).await;
        match reply {
            Ok(reply) => Ok(Some(self.version(reply.model_version, &registered)?)),
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
        // Another tool may have registered it from anywhere.
        if version.run.is_empty() {
            return Err(TrackingError::Unservable {
                model: version.model.clone(),
                version: version.version,
                place: self.place(),
                reason: "no run is known for it: was it registered by another tool?".to_owned(),
            });
        }
        self.fetch(&version.source, &version.run, super::MODEL_FILE)
            .await
    }
}
