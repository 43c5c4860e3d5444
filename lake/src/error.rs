//! What can go wrong with a lake.

/// Why the lake did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum LakeError {
    /// The disk or the quota is full. A later attempt succeeds once there is space.
    #[error("no space left for {path}: free some space, or raise the quota")]
    NoSpace {
        /// The file to write.
        path: String,
    },
    /// The store refused. Another attempt fails the same way.
    #[error(
        "the lake {lake} refuses access to {path}: {reason}; check the permissions there, and the credentials in the \
         store's options or the environment"
    )]
    Denied {
        /// The lake.
        lake: String,
        /// The file or folder to read or write.
        path: String,
        /// The store's answer.
        reason: String,
    },
    /// The address or an option is wrong, or the store lacks what a commit needs.
    #[error("the lake {lake} cannot be used: {reason}")]
    Unusable {
        /// The lake.
        lake: String,
        /// What is wrong.
        reason: String,
    },
    /// There is no such folder. Perhaps it is a typo, or a volume that is not mounted, or nothing has been written yet.
    #[error("the lake {lake} cannot be used: there is no such folder; correct its path")]
    Missing {
        /// The lake.
        lake: String,
    },
    /// A file in the lake is not a complete data file with a stamp.
    #[error(
        "{path} is not a data file of this lake: {reason}; move it out of the lake if it does not belong there"
    )]
    Broken {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The network or the disk failed. A later attempt may succeed.
    #[error("the lake {lake} is unavailable: {reason}; check its disk or the network")]
    Unavailable {
        /// The lake.
        lake: String,
        /// What happened.
        reason: String,
    },
}

impl LakeError {
    /// Whether a later attempt can succeed without a change of configuration.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::NoSpace { .. } | Self::Unavailable { .. })
    }
}
