//! Creating, replacing and removing files.

use std::io::{self, ErrorKind, Read};

use bytes::Bytes;
use object_store::{MultipartUpload, ObjectStoreExt, PutMode, PutOptions, PutPayload};
use tempfile::TempPath;

use crate::durable::Created;
use crate::error::LakeError;
use crate::lake::Lake;
use crate::local::TEMPORARY;

/// The file by which a store shows that it creates exclusively.
const PROBE: &str = "_probe";
/// Larger files are put in parts of this size.
const PART_BYTES: usize = 8 << 20;

impl Lake {
    /// Creates the file `path` (relative to the lake), visible in one step, only if the name is free. `writer` names
    /// the temporary file on a local disk: two writers never share one.
    ///
    /// # Errors
    /// The file does not exist then, with one exception: a network failure can hide that the store did create it.
    /// Repeat the call; [`Created::NameTaken`] means that a file is there.
    pub async fn create(
        &self,
        path: &str,
        contents: Bytes,
        writer: &str,
    ) -> Result<Created, LakeError> {
        if let Some(local) = &self.local {
            return local
                .create(path, contents, writer)
                .await
                .map_err(|error| self.local_error(path, &error));
        }
        let location = self.location(path);
        let options = PutOptions::from(PutMode::Create);
        let payload = PutPayload::from_bytes(contents);
        match self.store.put_opts(&location, payload, options).await {
            Ok(_) => Ok(Created::New),
            Err(
                object_store::Error::AlreadyExists { .. }
                | object_store::Error::Precondition { .. },
            ) => Ok(Created::NameTaken),
            Err(error) => Err(self.store_error(path, error)),
        }
    }

    /// Writes a file under a name that nobody else uses, durable on return. It may be seen before it is whole.
    pub(crate) async fn put(&self, path: &str, mut contents: Bytes) -> Result<(), LakeError> {
        if let Some(local) = &self.local {
            let written = local.put(path, contents).await;
            return written.map_err(|error| self.local_error(path, &error));
        }
        if contents.len() < PART_BYTES {
            return self.replace(path, contents).await;
        }
        let next = || Ok(contents.split_to(contents.len().min(PART_BYTES)));
        self.put_parts(path, next).await
    }

    /// Puts a complete local file under a name that nobody else uses, durable on return. It may be seen before it is whole.
    pub(crate) async fn put_file(&self, path: &str, file: TempPath) -> Result<(), LakeError> {
        if let Some(local) = &self.local {
            let taken = local.take(path, file).await;
            return taken.map_err(|error| self.local_error(path, &error));
        }
        let read_failed = |error| self.temporary_error(&error);
        let mut source = std::fs::File::open(&file).map_err(read_failed)?;
        let mut next = || read_part(&mut source).map_err(read_failed);
        let first = next()?;
        if first.len() < PART_BYTES {
            return self.replace(path, first).await;
        }
        let mut first = Some(first);
        self.put_parts(path, || first.take().map_or_else(&mut next, Ok))
            .await
    }

    /// Puts a file part by part, until one is empty: a store ends a request that takes too long, which a large file over a slow line
    /// always would.
    async fn put_parts(
        &self,
        path: &str,
        mut next: impl FnMut() -> Result<Bytes, LakeError>,
    ) -> Result<(), LakeError> {
        let failed = |error| self.store_error(path, error);
        let location = self.location(path);
        let mut upload = self.store.put_multipart(&location).await.map_err(failed)?;
        let mut put = async || {
            loop {
                let part = next()?;
                if part.is_empty() {
                    return Ok(());
                }
                upload.put_part(part.into()).await.map_err(failed)?;
            }
        };
        let put = put().await;
        match put {
            Ok(()) => upload.complete().await.map(drop).map_err(failed),
            Err(error) => {
                // What stays of it costs space only.
                let _ = upload.abort().await;
                Err(error)
            }
        }
    }

    /// The store's time, in milliseconds since the epoch: that of a file written just now. A full disk has it, too.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) async fn now_ms(&self) -> Result<i64, LakeError> {
        let path = format!("{TEMPORARY}/clock");
        let written = self.replace(&path, Bytes::from_static(b"now\n")).await;
        if let (Err(LakeError::NoSpace { .. }), Some(local)) = (&written, &self.local) {
            let now_ms = local.now_ms().await;
            return now_ms.map_err(|error| self.local_error(TEMPORARY, &error));
        }
        written?;
        let head = self.store.head(&self.location(&path)).await;
        let head = head.map_err(|error| self.store_error(&path, error))?;
        Ok(head.last_modified.timestamp_millis())
    }

    /// Writes a file, visible in one step, in the place of what was there.
    pub(crate) async fn replace(&self, path: &str, contents: Bytes) -> Result<(), LakeError> {
        if let Some(local) = &self.local {
            let replaced = local.replace(path, contents).await;
            return replaced.map_err(|error| self.local_error(path, &error));
        }
        let put = self.store.put(&self.location(path), contents.into()).await;
        put.map(drop).map_err(|error| self.store_error(path, error))
    }

    /// Removes a file; it is no error when there is none.
    pub(crate) async fn delete(&self, path: &str) -> Result<(), LakeError> {
        match self.store.delete(&self.location(path)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.store_error(path, error)),
        }
    }

    /// Removes the folders in a folder that are empty and were last changed before `before_ms`, in milliseconds since the
    /// epoch. Only a local disk has such: object stores have no folders, and in HDFS an empty one costs next to nothing.
    pub(crate) async fn remove_empty_folders(
        &self,
        path: &str,
        before_ms: i64,
    ) -> Result<(), LakeError> {
        let Some(local) = &self.local else {
            return Ok(());
        };
        let removed = local.remove_empty_folders(path, before_ms).await;
        removed.map_err(|error| self.local_error(path, &error))
    }

    /// Finds out whether the store refuses to create a file whose name is taken: without that, two writers would make the
    /// same entry. A local file system does.
    ///
    /// # Errors
    /// [`LakeError::Unusable`] when it does not refuse.
    pub(crate) async fn check_exclusive_creation(&self) -> Result<(), LakeError> {
        if self.local.is_some() {
            return Ok(());
        }
        for _ in 0..2 {
            // The file of an earlier start is as good.
            if self
                .create(PROBE, Bytes::from_static(b"probe\n"), "probe")
                .await?
                == Created::NameTaken
            {
                return Ok(());
            }
        }
        Err(LakeError::Unusable {
            lake: self.to_string(),
            reason: "its store ignores `If-None-Match`: it replaced a file that was to be created only if its name is \
                     free, so two writers could make the same commit; use a store, or a release of it, that honours \
                     conditional puts"
                .to_owned(),
        })
    }

    /// What a failure of a temporary file means. They are in the lake if that is a local folder.
    pub(crate) fn temporary_error(&self, error: &io::Error) -> LakeError {
        match &self.local {
            Some(_) => self.local_error(TEMPORARY, error),
            None => LakeError::Temporary {
                folder: std::env::temp_dir().display().to_string(),
                reason: error.to_string(),
            },
        }
    }

    pub(crate) fn local_error(&self, path: &str, error: &io::Error) -> LakeError {
        let lake = self.to_string();
        let path = format!("{lake}/{path}");
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => LakeError::NoSpace {
                path,
                reason: "free some space, or raise the quota".to_owned(),
            },
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => LakeError::Denied {
                lake,
                path,
                reason: error.to_string(),
            },
            ErrorKind::Unsupported => LakeError::Unusable {
                lake,
                reason: format!(
                    "its file system has no hard links, which a commit needs ({error}); put the lake on another one"
                ),
            },
            _ => LakeError::Unavailable {
                lake,
                reason: format!("{path}: {error}"),
            },
        }
    }
}

/// The next part of a file; empty at its end.
fn read_part(file: &mut std::fs::File) -> io::Result<Bytes> {
    let mut part = Vec::with_capacity(PART_BYTES);
    file.take(PART_BYTES as u64).read_to_end(&mut part)?;
    Ok(part.into())
}

#[cfg(test)]
mod tests {
    use faults::SmallDisk;

    use super::*;

    #[tokio::test]
    async fn a_large_file_is_put_in_parts() {
        let lake = Lake::on_store(std::sync::Arc::new(object_store::memory::InMemory::new()));
        for bytes in [0, 1, PART_BYTES - 1, PART_BYTES, 2 * PART_BYTES + 1] {
            let contents: Bytes = (0..bytes).map(|at| (at % 251) as u8).collect();
            lake.put("raw/file", contents.clone()).await.unwrap();
            assert!(
                lake.read("raw/file").await.unwrap() == contents,
                "{bytes} bytes"
            );
        }
    }

    #[tokio::test]
    async fn half_a_file_does_not_stay_on_a_full_disk() {
        let folder = tempfile::tempdir().unwrap();
        let Some(disk) = SmallDisk::mount(folder.path(), "256k") else {
            return;
        };
        let lake = Lake::open_str(disk.path().to_str().unwrap(), []).unwrap();
        for attempt in 0..3 {
            let path = format!("raw/date=2025-06-01/{attempt}.parquet");
            let error = lake
                .put(&path, vec![1; 300 << 10].into())
                .await
                .unwrap_err();
            assert!(matches!(error, LakeError::NoSpace { .. }), "{error}");
        }
        let day = disk.path().join("raw/date=2025-06-01");
        assert_eq!(std::fs::read_dir(day).unwrap().count(), 0);
    }
}
