//! The handle on a lake: open it, and list its layers.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use futures_util::TryStreamExt;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectMeta, ObjectStore};
use secrecy::SecretString;

use crate::error::LakeError;
use crate::file::{DataFile, FileName};
use crate::local::LocalFolder;
use crate::url::LakeUrl;

/// An open lake. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Lake {
    pub(crate) store: Arc<dyn ObjectStore>,
    /// Where the lake begins inside the store.
    root: ObjectPath,
    /// Set when the lake is a local folder: files are then created without the store, which does not fsync.
    pub(crate) local: Option<LocalFolder>,
    /// The address, as shown in messages.
    address: String,
}

impl Lake {
    /// Opens a lake by its path or URL, with options of the object store such as `aws_region`.
    ///
    /// # Errors
    /// [`LakeError::Unusable`] when the URL or an option is invalid, or the folder cannot be created.
    pub fn open_str(
        lake: &str,
        options: impl IntoIterator<Item = (String, SecretString)>,
    ) -> Result<Self, LakeError> {
        let url = LakeUrl::parse(lake).map_err(|reason| LakeError::Unusable {
            lake: lake.to_owned(),
            reason,
        })?;
        Self::open(&url.with_options(options))
    }

    /// Opens a lake. A local folder is created if it is missing, with `_tmp` in it for files being written; an object
    /// store is not contacted yet.
    ///
    /// # Errors
    /// [`LakeError::Unusable`] when an option is invalid or the folder cannot be created.
    pub fn open(url: &LakeUrl) -> Result<Self, LakeError> {
        let cannot_create = |folder: &Path, error: io::Error| {
            unusable(url, format!("cannot create {}: {error}", folder.display()))
        };
        let local = match url.folder() {
            Some(folder) => {
                let local = LocalFolder::open(folder);
                Some(local.map_err(|error| cannot_create(folder, error))?)
            }
            None => None,
        };
        Self::with_store(url, local)
    }

    /// Opens a lake to look at it: nothing is created, so a read-only mount will do.
    ///
    /// # Errors
    /// [`LakeError::Missing`] when there is no such folder, [`LakeError::Unusable`] when an option is invalid.
    pub fn open_existing(url: &LakeUrl) -> Result<Self, LakeError> {
        if let Some(folder) = url.folder()
            && !folder.is_dir()
        {
            let lake = url.to_string();
            return Err(LakeError::Missing { lake });
        }
        Self::with_store(url, None)
    }

    fn with_store(url: &LakeUrl, local: Option<LocalFolder>) -> Result<Self, LakeError> {
        let (store, root) = url.store().map_err(|reason| unusable(url, reason))?;
        Ok(Self {
            store,
            root,
            local,
            address: url.to_string(),
        })
    }

    /// The data files of a layer, ordered by topic, partition, generation and offset. Empty when there is no such layer.
    ///
    /// # Errors
    /// When the store cannot be listed.
    pub async fn files(&self, layer: &str) -> Result<Vec<DataFile>, LakeError> {
        let mut files: Vec<DataFile> = self
            .objects(layer)
            .await?
            .into_iter()
            .filter_map(|meta| {
                let name = FileName::parse(meta.location.filename()?)?;
                let path = meta.location.prefix_match(&self.root)?;
                let path = path.map(|part| part.as_ref().to_owned());
                Some(DataFile {
                    path: path.collect::<Vec<_>>().join("/"),
                    name,
                    bytes: meta.size,
                    modified_ms: meta.last_modified.timestamp_millis(),
                })
            })
            .collect();
        files.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(files)
    }

    /// The newest file of one input partition in a layer; `None` when it has none.
    ///
    /// # Errors
    /// When the store cannot be listed.
    pub async fn newest(
        &self,
        layer: &str,
        topic: &str,
        partition: u32,
    ) -> Result<Option<DataFile>, LakeError> {
        let files = self.files(layer).await?;
        Ok(files
            .into_iter()
            .rfind(|file| file.name.topic == topic && file.name.partition == partition))
    }

    /// Everything that the store holds under a path.
    pub(crate) async fn objects(&self, path: &str) -> Result<Vec<ObjectMeta>, LakeError> {
        let prefix = self.location(path);
        self.store
            .list(Some(&prefix))
            .try_collect()
            .await
            .map_err(|error| self.store_error(path, error))
    }

    /// Where a path of the lake lies in the store.
    pub(crate) fn location(&self, path: &str) -> ObjectPath {
        self.root
            .parts()
            .chain(ObjectPath::from(path).parts())
            .collect()
    }

    pub(crate) fn broken(&self, path: &str, reason: impl fmt::Display) -> LakeError {
        LakeError::Broken {
            path: format!("{self}/{path}"),
            reason: reason.to_string(),
        }
    }

    /// What a failure of the object store means.
    pub(crate) fn store_error(&self, path: &str, error: object_store::Error) -> LakeError {
        use object_store::Error as E;
        let lake = self.address.clone();
        let reason = error.to_string();
        // Errors of a listing carry the status only in their text.
        let status = |code: &str| reason.contains(&format!("status code: {code}"));
        match error {
            E::PermissionDenied { .. } | E::Unauthenticated { .. } => LakeError::Denied {
                lake,
                path: path.to_owned(),
                reason,
            },
            _ if status("401") || status("403") => LakeError::Denied {
                lake,
                path: path.to_owned(),
                reason,
            },
            E::NotSupported { .. }
            | E::NotImplemented { .. }
            | E::InvalidPath { .. }
            | E::UnknownConfigurationKey { .. } => LakeError::Unusable { lake, reason },
            _ if reason.contains("NoSuchBucket") => LakeError::Unusable { lake, reason },
            _ => LakeError::Unavailable { lake, reason },
        }
    }
}

fn unusable(url: &LakeUrl, reason: String) -> LakeError {
    LakeError::Unusable {
        lake: url.to_string(),
        reason,
    }
}

/// The address it was opened with.
impl fmt::Display for Lake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn looking_creates_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| LakeUrl::parse(folder.path().join(name).to_str().unwrap()).unwrap();
        let error = Lake::open_existing(&at("typo")).unwrap_err().to_string();
        assert!(
            error.contains("typo cannot be used: there is no such folder"),
            "{error}"
        );
        std::fs::create_dir_all(folder.path().join("lake/raw")).unwrap();
        let lake = Lake::open_existing(&at("lake")).unwrap();
        assert!(lake.files("raw").await.unwrap().is_empty());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(!folder.path().join("lake/_tmp").exists());
    }
}
