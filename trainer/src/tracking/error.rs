//! Errors of tracking, each with its remedy.

use std::path::Path;

/// Why something could not be stored or read.
#[derive(Debug, thiserror::Error)]
pub enum TrackingError {
    /// An environment variable is not valid.
    #[error("{variable} {problem}")]
    Settings {
        /// The environment variable.
        variable: &'static str,
        /// The problem and the remedy.
        problem: String,
    },
    /// The server does not answer.
    #[error(
        "no MLflow server answers at {server}: {reason}; is it running, and is MLFLOW_TRACKING_URI right?"
    )]
    Unreachable {
        /// Its address.
        server: String,
        /// The cause.
        reason: String,
    },
    /// The server refuses the credentials, or what they may do.
    #[error(
        "the MLflow server at {server} refuses access ({status}{}): check MLFLOW_TRACKING_USERNAME and \
         MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN, and that user's permissions",
        said(.message)
    )]
    Denied {
        /// Its address.
        server: String,
        /// 401 or 403.
        status: u16,
        /// The server's message.
        message: String,
    },
    /// The server reports an error.
    #[error("the MLflow server at {server} could not {what} ({status}{})", said(.message))]
    Refused {
        /// Its address.
        server: String,
        /// The request, as the sentence needs it.
        what: String,
        /// The HTTP status.
        status: u16,
        /// The server's message.
        message: String,
    },
    /// The reply is not that of an MLflow server.
    #[error(
        "{server} does not reply as an MLflow server does to a request to {what}: {reason}; is MLFLOW_TRACKING_URI right?"
    )]
    Foreign {
        /// Its address.
        server: String,
        /// The request, as the sentence needs it.
        what: String,
        /// What is wrong with the reply.
        reason: String,
    },
    /// The experiment is deleted: it accepts no runs.
    #[error(
        "experiment {name} is deleted on the MLflow server at {server}: restore it with \
         `mlflow experiments restore --experiment-id {id}`, or choose another one with --experiment"
    )]
    ExperimentDeleted {
        /// Its name.
        name: String,
        /// Its number.
        id: String,
        /// The server's address.
        server: String,
    },
    /// The run does not exist.
    #[error("there is no run {run} in {place}: `coinlake train list` shows all")]
    UnknownRun {
        /// Its id.
        run: String,
        /// The tracking.
        place: String,
    },
    /// The version does not exist.
    #[error("there is no version {version} of {model} in {place}: `coinlake train list` shows all")]
    UnknownVersion {
        /// The registered model.
        model: String,
        /// The version.
        version: u32,
        /// The tracking.
        place: String,
    },
    /// The alias points at a version that is deleted.
    #[error(
        "alias {alias} of {model} in {place} points at {target}, which is deleted: \
         `coinlake train promote {model} VERSION {alias}` points it at another version"
    )]
    Dangling {
        /// The registered model.
        model: String,
        /// `staging` or `production`.
        alias: String,
        /// The deleted version.
        target: String,
        /// The tracking.
        place: String,
    },
    /// A file of the run is missing.
    #[error("run {run} in {place} has no file {path}: was it deleted?")]
    MissingFile {
        /// The run.
        run: String,
        /// The file.
        path: String,
        /// The tracking.
        place: String,
    },
    /// The server expects clients to write artifacts to a store themselves.
    #[error(
        "the MLflow server at {server} stores artifacts at {uri}, which only clients can write: start it with \
         `--artifacts-destination`, then it stores what clients send"
    )]
    ArtifactsElsewhere {
        /// Its address.
        server: String,
        /// The artifact store.
        uri: String,
    },
    /// The disk is full.
    #[error("no space left for {path}: free some, or choose another folder with --data")]
    NoSpace {
        /// The file or folder.
        path: String,
    },
    /// The disk failed.
    #[error("{path} cannot be used: {reason}")]
    Disk {
        /// The file or folder.
        path: String,
        /// The system's message.
        reason: String,
    },
    /// A file cannot be read.
    #[error("{path} is damaged: {reason}; restore it, or move it away if it is not needed")]
    Damaged {
        /// The file.
        path: String,
        /// The problem.
        reason: String,
    },
    /// A version was trained on features that are no longer computed, or is too large for crypto-predict.
    #[error("{model}/{version} of {place} no longer serves: {reason}")]
    Outdated {
        /// The registered model.
        model: String,
        /// The version.
        version: u32,
        /// The tracking.
        place: String,
        /// Why, and the remedy.
        reason: String,
    },
    /// A version's model file is unusable.
    #[error("{model}/{version} of {place} cannot serve: {reason}")]
    Unservable {
        /// The registered model.
        model: String,
        /// The version.
        version: u32,
        /// The tracking.
        place: String,
        /// The problem with the file.
        reason: String,
    },
}

impl TrackingError {
    /// The error of an environment variable; `problem` goes on after its name.
    pub(super) fn settings(variable: &'static str, problem: &str) -> Self {
        Self::Settings {
            variable,
            problem: problem.to_owned(),
        }
    }

    /// The error of a file operation on `path`.
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

    /// Whether a later attempt may succeed.
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

/// A server's message as the end of a sentence; empty without a message.
fn said(message: &str) -> String {
    if message.is_empty() {
        String::new()
    } else {
        format!(": {message}")
    }
}
