//! The lake: layers of Parquet files in a local folder or an object store.
//!
//! Always true: a file becomes visible whole or not at all, and only under a name that was free. Files are never changed.
//! This is the one place that opens, lists or creates them.

mod footer;
mod inspect;
mod local;
mod name;
mod read;
mod url;

use std::sync::Arc;

use bytes::Bytes;
use futures_util::TryStreamExt;
use object_store::path::Path as ObjectPath;
use object_store::{
    GetOptions, GetRange, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use secrecy::SecretString;

pub use footer::{FOOTER_KEY, FileStamp, ModuleStamp, STAMP_VERSION};
pub use inspect::{LayerSummary, PartitionSummary};
pub use name::{DataFile, FileName};
pub use read::LakeFile;
pub use url::LakeUrl;

use local::LocalRoot;

/// How much of a file's end is fetched to find its footer; more is fetched when the footer is longer.
const FOOTER_GUESS_BYTES: u64 = 64 << 10;

/// An open lake. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Lake {
    store: Arc<dyn ObjectStore>,
    /// Where the lake begins inside the store.
    root: ObjectPath,
    /// Set when the lake is a local folder: files are then created without the store, with fsync.
    local: Option<LocalRoot>,
    shown: String,
}

/// What came of creating a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// It is there, whole and durable.
    New,
    /// There was one of that name already; nothing was changed.
    NameTaken,
}

/// What a failure of the lake means for the one who sees it.
#[derive(Debug, thiserror::Error)]
pub enum LakeError {
    /// No room. Trying again helps once somebody made some.
    #[error("no space left for {path}: free some; this is tried again until it works")]
    NoSpace {
        /// The file that was to be written.
        path: String,
    },
    /// The store refused; trying again does not help.
    #[error(
        "the lake {lake} refuses access to {path}: {reason}; check its permissions and `parquet.options`"
    )]
    Denied {
        /// The lake.
        lake: String,
        /// What was to be read or written.
        path: String,
        /// What the store said.
        reason: String,
    },
    /// The store cannot do what a commit needs, or the settings are wrong.
    #[error("the lake {lake} does not work: {reason}")]
    Unusable {
        /// The lake.
        lake: String,
        /// What is wrong.
        reason: String,
    },
    /// A file that is not what it should be.
    #[error(
        "{path} is not a file this connector can go on from: {reason}; move it out of the lake if it does not belong there"
    )]
    Broken {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The network or the disk; trying again may help.
    #[error("the lake {lake} does not answer as it should: {reason}")]
    Unavailable {
        /// The lake.
        lake: String,
        /// What happened.
        reason: String,
    },
}

impl LakeError {
    /// Whether trying again later can help.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::NoSpace { .. } | Self::Unavailable { .. })
    }
}

impl Lake {
    /// Opens a lake by its URL or path, for looking at it.
    ///
    /// # Errors
    /// When the URL or an option makes no sense, or the folder cannot be opened.
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

    /// Opens a lake; a local folder is created when it is missing.
    ///
    /// # Errors
    /// When an option makes no sense or the folder cannot be created.
    pub fn open(url: &LakeUrl) -> Result<Self, LakeError> {
        let unusable = |reason: String| LakeError::Unusable {
            lake: url.to_string(),
            reason,
        };
        let (store, root) = url.store().map_err(unusable)?;
        let local = match url.folder() {
            Some(folder) => Some(
                LocalRoot::new(folder)
                    .map_err(|e| unusable(format!("cannot create {}: {e}", folder.display())))?,
            ),
            None => None,
        };
        Ok(Self {
            store,
            root,
            local,
            shown: url.to_string(),
        })
    }

    /// Creates `path` (relative to the lake) with these contents, visible in one step, only if the name is free.
    ///
    /// # Errors
    /// Nothing is visible under the name then, unless a network failure hid that the store had done it: asking again
    /// tells.
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
                .map_err(|e| self.local_error(path, &e));
        }
        let options = PutOptions::from(PutMode::Create);
        let payload = PutPayload::from_bytes(contents);
        match self.store.put_opts(&self.at(path), payload, options).await {
            Ok(_) => Ok(Created::New),
            Err(
                object_store::Error::AlreadyExists { .. }
                | object_store::Error::Precondition { .. },
            ) => Ok(Created::NameTaken),
            Err(e) => Err(self.error(path, e)),
        }
    }

    /// Removes what interrupted writes of this partition left behind.
    ///
    /// # Errors
    /// When the store cannot be listed.
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
                .map_err(|e| self.local_error("_tmp", &e));
        }
        // Only HDFS has such leftovers, `.<name>.tmp.<n>` beside the file; a put into the other stores leaves nothing.
        let mut swept = 0;
        for layer in layers {
            for meta in self.list(layer).await? {
                let name = meta.filename().unwrap_or_default();
                let written = name
                    .strip_prefix('.')
                    .and_then(|name| name.split_once(".tmp"));
                let file = written.and_then(|(name, _)| FileName::parse(name));
                if file.is_some_and(|f| f.topic == topic && f.partition == partition) {
                    let deleted = self.store.delete(&meta).await;
                    deleted.map_err(|e| self.error(meta.as_ref(), e))?;
                    swept += 1;
                }
            }
        }
        Ok(swept)
    }

    async fn list(&self, layer: &str) -> Result<Vec<ObjectPath>, LakeError> {
        Ok(self
            .list_meta(layer)
            .await?
            .into_iter()
            .map(|meta| meta.location)
            .collect())
    }

    async fn list_meta(&self, layer: &str) -> Result<Vec<object_store::ObjectMeta>, LakeError> {
        let prefix = self.at(layer);
        self.store
            .list(Some(&prefix))
            .try_collect()
            .await
            .map_err(|e| self.error(layer, e))
    }

    /// The files of a layer, in order of topic, partition, generation and offset.
    ///
    /// # Errors
    /// When the store cannot be listed.
    pub async fn files(&self, layer: &str) -> Result<Vec<DataFile>, LakeError> {
        let mut files: Vec<DataFile> = self
            .list_meta(layer)
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

    /// The newest file of one input partition in a layer.
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
            .rfind(|f| f.name.topic == topic && f.name.partition == partition))
    }

    /// What a file's footer says about the commit it belongs to.
    ///
    /// # Errors
    /// When it cannot be read, or was not written by this connector.
    pub async fn stamp(&self, path: &str) -> Result<FileStamp, LakeError> {
        let metadata = self.metadata(path).await?;
        FileStamp::read(&metadata).map_err(|reason| LakeError::Broken {
            path: format!("{}/{path}", self.shown),
            reason,
        })
    }

    /// A file's Parquet metadata.
    ///
    /// # Errors
    /// When it cannot be read or is not Parquet.
    pub async fn metadata(&self, path: &str) -> Result<ParquetMetaData, LakeError> {
        let mut wanted = FOOTER_GUESS_BYTES;
        loop {
            let (tail, size) = self.tail(path, wanted).await?;
            let mut reader = ParquetMetaDataReader::new();
            match reader.try_parse_sized(&tail, size) {
                Ok(()) => {
                    return reader.finish().map_err(|e| self.broken(path, &e));
                }
                Err(ParquetError::NeedMoreData(needed)) if (needed as u64) > wanted => {
                    wanted = needed as u64;
                }
                Err(e) => return Err(self.broken(path, &e)),
            }
        }
    }

    /// The last `wanted` bytes of a file, fewer when it is shorter, and its size.
    async fn tail(&self, path: &str, wanted: u64) -> Result<(Bytes, u64), LakeError> {
        let location = self.at(path);
        let head = self.store.head(&location).await;
        let size = head.map_err(|e| self.error(path, e))?.size;
        let range = GetRange::Bounded(size.saturating_sub(wanted)..size);
        let options = GetOptions::default().with_range(Some(range));
        let answer = self.store.get_opts(&location, options).await;
        let answer = answer.map_err(|e| self.error(path, e))?;
        let bytes = answer.bytes().await.map_err(|e| self.error(path, e))?;
        Ok((bytes, size))
    }

    /// The whole of a file.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn read(&self, path: &str) -> Result<Bytes, LakeError> {
        let answer = self.store.get(&self.at(path)).await;
        let answer = answer.map_err(|e| self.error(path, e))?;
        answer.bytes().await.map_err(|e| self.error(path, e))
    }

    fn at(&self, path: &str) -> ObjectPath {
        self.root
            .parts()
            .chain(ObjectPath::from(path).parts())
            .collect()
    }

    fn broken(&self, path: &str, error: &ParquetError) -> LakeError {
        LakeError::Broken {
            path: format!("{}/{path}", self.shown),
            reason: error.to_string(),
        }
    }

    fn local_error(&self, path: &str, error: &std::io::Error) -> LakeError {
        let path = format!("{}/{path}", self.shown);
        match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                LakeError::NoSpace { path }
            }
            std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
                LakeError::Denied {
                    lake: self.shown.clone(),
                    path,
                    reason: error.to_string(),
                }
            }
            std::io::ErrorKind::Unsupported => LakeError::Unusable {
                lake: self.shown.clone(),
                reason: format!(
                    "its file system has no hard links, which a commit needs ({error})"
                ),
            },
            _ => LakeError::Unavailable {
                lake: self.shown.clone(),
                reason: format!("{path}: {error}"),
            },
        }
    }

    fn error(&self, path: &str, error: object_store::Error) -> LakeError {
        use object_store::Error as E;
        let lake = self.shown.clone();
        let reason = error.to_string();
        // What fails while listing only says so in its text.
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

impl std::fmt::Display for Lake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.shown)
    }
}
