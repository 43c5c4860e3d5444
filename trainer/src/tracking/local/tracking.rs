//! [`Tracking`] in a folder.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;

use super::folder::Folder;
use super::registry::{Registry, VersionEntry};
use super::run_file::RunFile;
use crate::run::{Artifact, Run, TrainedModel};
use crate::tracking::backend::Tracking;
use crate::tracking::error::TrackingError;
use crate::tracking::layout::model_path;
use crate::tracking::run::{Beginning, OpenRun, RunRecord, RunStatus};
use crate::tracking::version::{Alias, ModelVersion};

/// The file with a run's params, metrics and tags.
const RUN_FILE: &str = "run.json";
/// The folder with a run's files.
const ARTIFACTS: &str = "artifacts";
/// Versions and aliases.
const REGISTRY_FILE: &str = "registry.json";

/// A folder of runs and model versions; created with the first of them.
///
/// ```
/// use std::collections::BTreeMap;
///
/// use trainer::tracking::{Beginning, LocalTracking, RunStatus, Tracking};
/// use trainer::{Artifact, Run};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let folder = tempfile::tempdir()?;
/// let tracking = LocalTracking::new(folder.path());
/// let run = tracking
///     .start(&Beginning {
///         experiment: "coinlake".to_owned(),
///         name: "first".to_owned(),
///         started_ms: 1_748_736_000_000,
///         tags: BTreeMap::new(),
///     })
///     .await?;
/// let results = Run {
///     artifacts: vec![Artifact::new("notes.txt", b"sunny".to_vec())],
///     ..Run::default()
/// };
/// tracking.finish(&run, 1_748_736_060_000, &results).await?;
///
/// assert_eq!(tracking.run(&run.id).await?.status, RunStatus::Finished);
/// assert_eq!(tracking.file(&run.id, "notes.txt").await?, "sunny");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct LocalTracking {
    folder: Folder,
}

impl LocalTracking {
    /// Does not touch the disk yet.
    pub fn new(folder: &Path) -> Self {
        Self {
            folder: Folder::new(folder),
        }
    }

    /// All results of a run with its models, to be uploaded.
    ///
    /// # Errors
    /// When the run does not exist, or a file of it cannot be read.
    pub(in crate::tracking) fn results(
        &self,
        id: &str,
    ) -> Result<(Beginning, RunRecord, Run), TrackingError> {
        let file = self.run_file(id)?;
        let mut artifacts = Vec::new();
        for path in self.folder.files_below(&self.artifacts(id))? {
            let bytes = self.read(id, &path)?;
            artifacts.push(Artifact { path, bytes });
        }
        let mut models = Vec::new();
        for (name, metrics) in file.models.clone() {
            // Models are uploaded on their own, not as artifacts.
            artifacts.retain(|artifact| artifact.path != model_path(&name));
            let bytes = self.read(id, &model_path(&name))?;
            models.push(TrainedModel {
                name,
                bytes,
                metrics,
            });
        }
        let beginning = Beginning {
            experiment: file.experiment.clone(),
            name: file.name.clone(),
            started_ms: file.started_ms,
            tags: Default::default(),
        };
        let results = Run {
            params: file.params.clone(),
            metrics: file.metrics.clone(),
            tags: file.tags.clone(),
            artifacts,
            models,
        };
        Ok((beginning, file.into_record(id), results))
    }

    /// Removes every run but the newest `keep`, with its model versions; returns how many. A run stays one of whose versions
    /// has an alias, or is the newest of its model.
    ///
    /// # Errors
    /// When the folder cannot be read or written. What was removed until then is gone.
    pub fn prune(&self, keep: usize) -> Result<usize, TrackingError> {
        if self.folder.folders()?.len() <= keep {
            // The lock would create the folder.
            return Ok(0);
        }
        let _lock = self.folder.lock()?;
        let mut registry = self.registry()?;
        let needed = registry.needed_runs();
        let mut runs: Vec<(i64, String)> = Vec::new();
        for id in self.folder.folders()? {
            // What cannot be read is none of ours, or somebody should look at it.
            if let Ok(run) = self.run_file(&id) {
                runs.push((run.started_ms, id));
            }
        }
        runs.sort_unstable_by(|a, b| b.cmp(a));
        let old = runs.into_iter().skip(keep).map(|(_, id)| id);
        let old: Vec<String> = old.filter(|id| !needed.contains(id)).collect();
        if old.is_empty() {
            return Ok(0);
        }
        // First, so that no version is without its run.
        registry.forget_runs(&old);
        self.folder
            .replace_json(Path::new(REGISTRY_FILE), &registry)?;
        for run in &old {
            self.folder.remove(run)?;
        }
        Ok(old.len())
    }

    fn artifacts(&self, run: &str) -> PathBuf {
        Path::new(run).join(ARTIFACTS)
    }

    fn read(&self, run: &str, path: &str) -> Result<Vec<u8>, TrackingError> {
        match self.folder.read(&self.artifacts(run).join(path))? {
            Some(bytes) => Ok(bytes),
            None => Err(TrackingError::MissingFile {
                run: run.to_owned(),
                path: path.to_owned(),
                place: self.place(),
            }),
        }
    }

    fn run_file(&self, id: &str) -> Result<RunFile, TrackingError> {
        let unknown = || TrackingError::UnknownRun {
            run: id.to_owned(),
            place: self.place(),
        };
        // An id is a folder's name; other text could name a path outside.
        if id.is_empty() || id.starts_with('.') || id.contains(['/', '\\']) {
            return Err(unknown());
        }
        let path = Path::new(id).join(RUN_FILE);
        self.folder.read_json(&path)?.ok_or_else(unknown)
    }

    fn registry(&self) -> Result<Registry, TrackingError> {
        let registry: Option<Registry> = self.folder.read_json(Path::new(REGISTRY_FILE))?;
        Ok(registry.unwrap_or_default())
    }

    /// Changes the registry under the lock.
    fn change<T>(
        &self,
        change: impl FnOnce(&mut Registry) -> Result<T, TrackingError>,
    ) -> Result<T, TrackingError> {
        let _lock = self.folder.lock()?;
        let mut registry = self.registry()?;
        let result = change(&mut registry)?;
        self.folder
            .replace_json(Path::new(REGISTRY_FILE), &registry)?;
        Ok(result)
    }

    /// Writes a run's folder.
    fn store(&self, run: &OpenRun, file: &RunFile, results: &Run) -> Result<(), TrackingError> {
        let models = results.models.iter();
        let models = models.map(|model| (model_path(&model.name), model.bytes.as_slice()));
        let artifacts = results.artifacts.iter();
        let artifacts = artifacts.map(|file| (file.path.clone(), file.bytes.as_slice()));
        let files = artifacts.chain(models);
        let files = files.map(|(path, bytes)| (Path::new(ARTIFACTS).join(path), bytes));
        let _lock = self.folder.lock()?;
        self.folder.create(&run.id, RUN_FILE, file, files)
    }

    fn version(&self, model: &str, entry: &VersionEntry, registry: &Registry) -> ModelVersion {
        ModelVersion {
            model: model.to_owned(),
            version: entry.version,
            run: entry.run.clone(),
            created_ms: entry.created_ms,
            aliases: registry.aliases_of(model, entry.version),
            note: entry.note.clone(),
            source: model_path(model),
        }
    }

    fn unknown_version(&self, model: &str, version: u32) -> TrackingError {
        TrackingError::UnknownVersion {
            model: model.to_owned(),
            version,
            place: self.place(),
        }
    }
}

/// Blocks on the disk: the files are few and small, and no other task waits for this one.
#[async_trait]
impl Tracking for LocalTracking {
    fn place(&self) -> String {
        self.folder.path().display().to_string()
    }

    async fn check(&self) -> Result<(), TrackingError> {
        self.registry().map(|_| ())
    }

    async fn start(&self, beginning: &Beginning) -> Result<OpenRun, TrackingError> {
        // Fail now if the folder cannot be written, not after the training.
        drop(self.folder.lock()?);
        let started =
            Timestamp::from_millisecond(beginning.started_ms).unwrap_or(Timestamp::UNIX_EPOCH);
        let random = rand::random::<u16>();
        Ok(OpenRun {
            // Names sort by time; the rest makes two within one second different.
            id: format!("{}-{random:04x}", started.strftime("%Y%m%d-%H%M%S")),
            files: String::new(),
            beginning: beginning.clone(),
        })
    }

    async fn finish(
        &self,
        run: &OpenRun,
        ended_ms: i64,
        results: &Run,
    ) -> Result<(), TrackingError> {
        let file = RunFile::new(&run.beginning, ended_ms, RunStatus::Finished, results);
        self.store(run, &file, results)
    }

    async fn abandon(
        &self,
        run: &OpenRun,
        ended_ms: i64,
        status: RunStatus,
        reason: &str,
    ) -> Result<(), TrackingError> {
        let results = Run {
            tags: [("failure".to_owned(), reason.to_owned())].into(),
            ..Run::default()
        };
        let file = RunFile::new(&run.beginning, ended_ms, status, &results);
        self.store(run, &file, &results)
    }

    async fn runs(
        &self,
        experiment: &str,
        at_most: usize,
    ) -> Result<Vec<RunRecord>, TrackingError> {
        let mut runs = Vec::new();
        for id in self.folder.folders()? {
            // Other folders have no such file.
            match self.run_file(&id) {
                Ok(file) if file.experiment == experiment => runs.push(file.into_record(&id)),
                Ok(_) | Err(TrackingError::UnknownRun { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        runs.sort_by(|a, b| (b.started_ms, &b.id).cmp(&(a.started_ms, &a.id)));
        runs.truncate(at_most);
        Ok(runs)
    }

    async fn run(&self, id: &str) -> Result<RunRecord, TrackingError> {
        Ok(self.run_file(id)?.into_record(id))
    }

    async fn file(&self, run: &str, path: &str) -> Result<Bytes, TrackingError> {
        self.run_file(run)?;
        Ok(self.read(run, path)?.into())
    }

    async fn register(&self, run: &OpenRun, model: &str) -> Result<ModelVersion, TrackingError> {
        self.change(|registry| {
            let entry = registry.add_version(model, &run.id, Timestamp::now().as_millisecond());
            Ok(self.version(model, &entry, registry))
        })
    }

    async fn note(&self, version: &ModelVersion, note: &str) -> Result<(), TrackingError> {
        self.change(|registry| {
            let entry = registry.version_mut(&version.model, version.version);
            let entry =
                entry.ok_or_else(|| self.unknown_version(&version.model, version.version))?;
            entry.note = note.to_owned();
            Ok(())
        })
    }

    async fn versions(&self, model: &str) -> Result<Vec<ModelVersion>, TrackingError> {
        let registry = self.registry()?;
        let entries = registry.versions(model).iter().rev();
        Ok(entries
            .map(|entry| self.version(model, entry, &registry))
            .collect())
    }

    async fn version_at(
        &self,
        model: &str,
        alias: Alias,
    ) -> Result<Option<ModelVersion>, TrackingError> {
        let registry = self.registry()?;
        let Some(version) = registry.points_at(model, alias) else {
            return Ok(None);
        };
        let dangling = |target: String| TrackingError::Dangling {
            model: model.to_owned(),
            alias: alias.to_string(),
            target,
            place: self.place(),
        };
        let entries = registry.versions(model);
        let Some(entry) = entries.iter().find(|entry| entry.version == version) else {
            return Err(dangling(format!("version {version}")));
        };
        // A run's folder may have been removed by hand.
        match self.run_file(&entry.run) {
            Ok(_) => Ok(Some(self.version(model, entry, &registry))),
            Err(TrackingError::UnknownRun { run, .. }) => {
                Err(dangling(format!("version {version} of run {run}")))
            }
            Err(error) => Err(error),
        }
    }

    async fn set_alias(
        &self,
        model: &str,
        alias: Alias,
        version: u32,
    ) -> Result<(), TrackingError> {
        self.change(|registry| {
            registry
                .point(model, alias, version)
                .then_some(())
                .ok_or_else(|| self.unknown_version(model, version))
        })
    }

    async fn model(&self, version: &ModelVersion) -> Result<Bytes, TrackingError> {
        self.file(&version.run, &version.source).await
    }
}
