//! Putting one file into the lake, once.
//!
//! Always true: a [`CommittedFile`] is only made when the file is in the lake and durable.

use lake::{Created, FileStamp, Lake, LakeError};

use crate::encode::SealedFile;

/// Proof that a file is in the lake and durable.
#[derive(Debug)]
#[must_use = "the position moves only in exchange for this"]
pub(super) struct CommittedFile {
    /// Where it is, relative to the lake.
    pub path: String,
    /// Its size in bytes.
    pub bytes: u64,
}

/// Why a file did not get its place.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommitError {
    /// The lake failed.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// Another process created a file of this name.
    #[error(
        "another copy of this stage is running: {path} was written by run {other}, not by this one ({this}); stop one of them"
    )]
    AnotherCopy {
        /// The file that both wanted.
        path: String,
        /// The writer id of the other process.
        other: String,
        /// The writer id of this process.
        this: String,
    },
    /// A put of an earlier cut looked failed, but took effect later.
    #[error("{path} was created by an earlier attempt of this run")]
    Overtaken {
        /// The file.
        path: String,
    },
}

/// Puts a file into the lake. May be repeated after a transient error: the stamp in the footer shows that an earlier
/// attempt succeeded unnoticed.
///
/// # Errors
/// When the lake fails, or the name is taken.
pub(super) async fn place(
    file: &SealedFile,
    stamp: &FileStamp,
    lake: &Lake,
) -> Result<CommittedFile, CommitError> {
    let created = lake.create(&file.path, file.contents.clone(), &stamp.writer);
    if created.await? == Created::NameTaken {
        let other = lake.stamp(&file.path).await?;
        let path = file.path.clone();
        if other.writer != stamp.writer {
            return Err(CommitError::AnotherCopy {
                path,
                other: other.writer,
                this: stamp.writer.clone(),
            });
        }
        if other != *stamp {
            return Err(CommitError::Overtaken { path });
        }
    }
    Ok(CommittedFile {
        path: file.path.clone(),
        bytes: file.contents.len() as u64,
    })
}
