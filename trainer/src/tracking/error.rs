//! What can go wrong with runs and model versions, each with its remedy.

use std::path::Path;

/// Why something could not be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum TrackingError {
    /// What the environment says makes no sense.
    #[error("{variable} {problem}")]
    Settings {
        /// The environment variable.
        variable: &'static str,
        /// What is wrong with it, and what would be right.
        problem: String,
    },
    /// Nobody answers.
    #[error(
        "no MLflow server answers at {server}: {reason}; is it running, and is MLFLOW_TRACKING_URI right?"
    )]
    Unreachable {
        /// Its address.
        server: String,
        /// What happened.
        reason: String,
    },
    /// The server does not know us, or does not let us.
    #[error(
        "the MLflow server at {server} refuses access ({status}{}): check MLFLOW_TRACKING_USERNAME and \
         MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN, and what that user may do",
        said(.message)
    )]
    Denied {
        /// Its address.
        server: String,
        /// 401 or 403.
        status: u16,
        /// What it said.
        message: String,
    },
    /// The server answers, but not with what was asked for.
    #[error("the MLflow server at {server} could not {what} ({status}{})", said(.message))]
    Refused {
        /// Its address.
        server: String,
        /// What it was asked to do.
        what: String,
        /// The HTTP status.
        status: u16,
        /// What it said.
        message: String,
    },
    /// Somebody answers, and it is no MLflow server, or one of another kind.
    #[error(
        "{server} does not answer as an MLflow server does when asked to {what}: {reason}; is MLFLOW_TRACKING_URI right?"
    )]
    Foreign {
        /// Its address.
        server: String,
        /// What it was asked to do.
        what: String,
        /// What was strange.
        reason: String,
    },
    /// An experiment that is in the bin takes no runs.
    #[error(
        "experiment {name} is deleted on the MLflow server at {server}: bring it back with \
         `mlflow experiments restore --experiment-id {id}`, or name another one with --experiment"
    )]
    ExperimentDeleted {
        /// Its name.
        name: String,
        /// Its number.
        id: String,
        /// The server's address.
        server: String,
    },
    /// There is none of that name.
    #[error(
        "there is no experiment {name} in {place}: `coinlake train run --experiment {name}` makes it"
    )]
    UnknownExperiment {
        /// Its name.
        name: String,
        /// Where it was looked for.
        place: String,
    },
    /// There is none of that id.
    #[error("there is no run {run} in {place}: `coinlake train list` shows those there are")]
    UnknownRun {
        /// Its id.
        run: String,
        /// Where it was looked for.
        place: String,
    },
    /// There is none of that name and number.
    #[error(
        "there is no version {version} of {model} in {place}: `coinlake train list` shows those there are"
    )]
    UnknownVersion {
        /// The registered model.
        model: String,
        /// The version.
        version: u32,
        /// Where it was looked for.
        place: String,
    },
    /// An alias that leads nowhere.
    #[error(
        "alias {alias} of {model} in {place} points at {target}, which is deleted: \
         `coinlake train promote {model} VERSION {alias}` points it at one that is there"
    )]
    Dangling {
        /// The registered model.
        model: String,
        /// `staging` or `production`.
        alias: String,
        /// The version, as far as it is known.
        target: String,
        /// Where it was looked for.
        place: String,
    },
    /// A run lacks a file it should have.
    #[error("run {run} in {place} has no file {path}: was it deleted?")]
    MissingFile {
        /// The run.
        run: String,
        /// The file.
        path: String,
        /// Where the run is kept.
        place: String,
    },
    /// The server wants clients to write artifacts to a store themselves.
    #[error(
        "the MLflow server at {server} keeps artifacts at {uri}, outside its own reach: start it with \
         `--artifacts-destination`, which lets clients hand artifacts to the server"
    )]
    ArtifactsElsewhere {
        /// Its address.
        server: String,
        /// Where artifacts would go.
        uri: String,
    },
    /// No room.
    #[error("no space left for {path}: free some, or keep models elsewhere with --data")]
    NoSpace {
        /// The file or folder.
        path: String,
    },
    /// The disk says no.
    #[error("{path} cannot be used: {reason}")]
    Disk {
        /// The file or folder.
        path: String,
        /// What the system said.
        reason: String,
    },
    /// A file is not what it should be.
    #[error("{path} is damaged: {reason}; restore it, or move it away if it can go")]
    Damaged {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A version's model file is not one that can serve.
    #[error("{model}/{version} of {place} cannot serve: {reason}")]
    Unservable {
        /// The registered model.
        model: String,
        /// The version.
        version: u32,
        /// Where it was looked for.
        place: String,
        /// What the model file's reader says.
        reason: String,
    },
}

impl TrackingError {
    /// What the disk said about `path`.
    pub(super) fn disk(path: &Path, error: &std::io::Error) -> Self {
        let path = path.display().to_string();
        match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                Self::NoSpace { path }
            }
            _ => Self::Disk {
                path,
                reason: error.to_string(),
            },
        }
    }

    /// Whether trying again later can help.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::NoSpace { .. } => true,
            Self::Refused { status, .. } => is_transient(*status),
            _ => false,
        }
    }
}

/// Whether a request that got this HTTP status may succeed later.
pub(super) fn is_transient(status: u16) -> bool {
    matches!(status, 408 | 429 | 500 | 502 | 503 | 504)
}

/// What a server said, where it said something.
fn said(message: &str) -> String {
    if message.is_empty() {
        String::new()
    } else {
        format!(": {message}")
    }
}
