//! Why a call gave no result.

use std::time::Duration;

use crate::tracking::error::{TrackingError, is_transient};

/// A failed call.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) server: String,
    pub(super) what: String,
    pub(super) kind: FailureKind,
}

#[derive(Debug)]
pub(super) enum FailureKind {
    Unreachable(String),
    Status {
        status: u16,
        /// MLflow's name of the error, if the body has one.
        code: String,
        message: String,
        retry_after: Option<Duration>,
    },
    Foreign(String),
}

impl Failure {
    /// Whether the error has this MLflow name.
    pub(super) fn is(&self, error_code: &str) -> bool {
        matches!(&self.kind, FailureKind::Status { code, .. } if code == error_code)
    }

    /// Whether the resource does not exist.
    pub(super) fn is_not_found(&self) -> bool {
        self.is("RESOURCE_DOES_NOT_EXIST")
    }

    pub(super) fn is_transient(&self) -> bool {
        match &self.kind {
            FailureKind::Unreachable(_) => true,
            FailureKind::Status { status, .. } => is_transient(*status),
            FailureKind::Foreign(_) => false,
        }
    }

    pub(super) fn retry_after(&self) -> Option<Duration> {
        match &self.kind {
            FailureKind::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    pub(super) fn reason(&self) -> String {
        match &self.kind {
            FailureKind::Unreachable(reason) | FailureKind::Foreign(reason) => {
                format!("{}: {reason}", self.server)
            }
            FailureKind::Status { status, .. } => {
                format!("{} could not {} ({status})", self.server, self.what)
            }
        }
    }
}

impl From<Failure> for TrackingError {
    fn from(failure: Failure) -> Self {
        let Failure { server, what, kind } = failure;
        match kind {
            FailureKind::Unreachable(reason) => Self::Unreachable { server, reason },
            FailureKind::Foreign(reason) => Self::Foreign {
                server,
                what,
                reason,
            },
            FailureKind::Status {
                status: status @ (401 | 403),
                message,
                ..
            } => Self::Denied {
                server,
                status,
                message,
            },
            // An error of MLflow has a name; a 404 of another server has none.
            FailureKind::Status {
                status: 404, code, ..
            } if code.is_empty() => Self::Foreign {
                server,
                what,
                reason: "it has no such address (404)".to_owned(),
            },
            FailureKind::Status {
                status, message, ..
            } => Self::Refused {
                server,
                what,
                status,
                message,
            },
        }
    }
}
