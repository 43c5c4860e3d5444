//! What can go wrong with a lake.

/// Why the lake did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum LakeError {
    /// The disk or the quota is full. A later attempt succeeds once there is space.
    #[error("no space left for {path}: {reason}")]
    NoSpace {
        /// The file to write.
        path: String,
        /// What is full, and the way out.
        reason: String,
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
    /// A file of a table is not what it must be.
    #[error("{path} cannot be read: {reason}")]
    Broken {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Rows of this kind do not fit the table.
    #[error("the table {table} does not take these rows: {reason}")]
    Schema {
        /// The table.
        table: String,
        /// What does not fit, and the way out.
        reason: String,
    },
    /// The folder holds data files of a release before tables.
    #[error(
        "{table} holds files of a release before tables, and no table: `coinlake lake import` makes a table of them; or \
         choose another lake"
    )]
    FormerLayout {
        /// The table.
        table: String,
    },
    /// A file was removed between finding and reading it.
    #[error(
        "{path} was removed while it was read: upkeep made another file of it; read the table again"
    )]
    Gone {
        /// The file.
        path: String,
    },
    /// A temporary file failed, which is not in the lake.
    #[error(
        "temporary files in {folder} failed: {reason}; free some space there, or set TMPDIR to a folder that has it and can be \
         written"
    )]
    Temporary {
        /// The folder of temporary files.
        folder: String,
        /// What happened.
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
        matches!(
            self,
            Self::NoSpace { .. }
                | Self::Unavailable { .. }
                | Self::Gone { .. }
                | Self::Temporary { .. }
        )
    }
}
