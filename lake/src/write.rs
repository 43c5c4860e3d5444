//! Creating files, and removing what interrupted writes left behind.

use std::io::{self, ErrorKind};

use bytes::Bytes;
use object_store::{ObjectStoreExt, PutMode, PutOptions, PutPayload};

use crate::durable::Created;
use crate::error::LakeError;
use crate::file::FileName;
use crate::lake::Lake;

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

    /// Removes what interrupted writes of one input partition left behind; returns the number of files removed.
    ///
    /// # Errors
    /// When the store cannot be listed, or a file cannot be removed.
    pub async fn sweep(
        &self,
        layers: &[String],
        topic: &str,
        partition: u32,
    ) -> Result<usize, LakeError> {
        if let Some(local) = &self.local {
            return local
                .sweep(layers, topic, partition)
                .await
                .map_err(|error| self.local_error("_tmp", &error));
        }
        // Only HDFS has leftovers, `.<name>.tmp.<n>` beside the file; the other stores keep nothing of a failed put.
        let mut swept = 0;
        for layer in layers {
            for meta in self.objects(layer).await? {
                let partial = meta.location.filename().unwrap_or_default();
                let partial = partial.strip_prefix('.');
                let name = partial.and_then(|partial| partial.split_once(".tmp"));
                let name = name.and_then(|(name, _)| FileName::parse(name));
                if name.is_some_and(|name| name.topic == topic && name.partition == partition) {
                    let deleted = self.store.delete(&meta.location).await;
                    deleted.map_err(|error| self.store_error(meta.location.as_ref(), error))?;
                    swept += 1;
                }
            }
        }
        Ok(swept)
    }

    fn local_error(&self, path: &str, error: &io::Error) -> LakeError {
        let lake = self.to_string();
        let path = format!("{lake}/{path}");
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => LakeError::NoSpace { path },
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
