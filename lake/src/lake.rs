//! The handle on a lake: open it, and list what is in it.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use futures_util::TryStreamExt;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectMeta, ObjectStore};
use secrecy::SecretString;

use crate::error::LakeError;
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

    /// A lake at the root of a store.
    #[cfg(test)]
    pub(crate) fn on_store(store: Arc<dyn ObjectStore>) -> Self {
        Self {
            store,
            root: ObjectPath::default(),
            local: None,
            address: "memory".to_owned(),
        }
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

    /// The names of the folders in a folder, ascending.
    pub(crate) async fn folders(&self, path: &str) -> Result<Vec<String>, LakeError> {
        let prefix = self.location(path);
        let found = self.store.list_with_delimiter(Some(&prefix)).await;
        let found = found.map_err(|error| self.store_error(path, error))?;
        let names = found
            .common_prefixes
            .iter()
            .filter_map(ObjectPath::filename);
        let mut names: Vec<String> = names.map(str::to_owned).collect();
        names.sort_unstable();
        Ok(names)
    }

    /// Everything under a folder, behind the path `after` if that is given: paths relative to the lake with their sizes and
    /// times, in no order.
    pub(crate) async fn list(
        &self,
        folder: &str,
        after: Option<&str>,
    ) -> Result<Vec<Listed>, LakeError> {
        let prefix = self.location(folder);
        let listed = match after {
            Some(after) => self
                .store
                .list_with_offset(Some(&prefix), &self.location(after)),
            None => self.store.list(Some(&prefix)),
        };
        let listed: Vec<ObjectMeta> = listed
            .try_collect()
            .await
            .map_err(|error| self.store_error(folder, error))?;
        let relative = listed.into_iter().filter_map(|meta| {
            let parts = meta.location.prefix_match(&self.root)?;
            let parts: Vec<String> = parts.map(|part| part.as_ref().to_owned()).collect();
            Some(Listed {
                path: parts.join("/"),
                bytes: meta.size,
                modified_ms: meta.last_modified.timestamp_millis(),
            })
        });
        Ok(relative.collect())
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

/// What a listing shows of a file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Listed {
    /// Relative to the lake.
    pub(crate) path: String,
    pub(crate) bytes: u64,
    /// When it was written, by the store's clock, in milliseconds since the epoch.
    pub(crate) modified_ms: i64,
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
        assert!(lake.table("raw").snapshot().await.unwrap().is_none());
        assert!(lake.tables().await.unwrap().is_empty());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(!folder.path().join("lake/_tmp").exists());
    }
}
