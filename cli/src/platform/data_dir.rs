//! The data directory of the one-machine platform: the broker's log, the lake, trained models, and a note that identifies
//! it.

use std::ffi::OsStr;
use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use crate::models::MODELS_FOLDER;

/// Where `up` and the commands that look at it expect the data.
pub(crate) const DEFAULT_DATA_DIR: &str = "coinlake-data";

/// CoinGecko's market in a directory's note.
pub(crate) const LIVE_MARKET: &str = "live data";

/// The synthetic market in a directory's note.
pub(crate) const SYNTHETIC_MARKET: &str = "the synthetic market";
/// The field market in a directory's note.
pub(crate) const FIELD_MARKET: &str = "the field market";
/// What earlier versions wrote in place of [`SYNTHETIC_MARKET`].
const SYNTHETIC_MARKET_FORMER: &str = "the made-up market";

/// Incremented when this version can no longer read an older directory.
const LAYOUT: u32 = 1;
const NOTE: &str = "coinlake.json";
const PARTIAL_NOTE: &str = "coinlake.json.partial";

#[derive(Debug, Serialize, Deserialize)]
struct Note {
    layout: u32,
    /// Which market fills this directory. A replay finds its position by counting records, so markets cannot be mixed.
    market: String,
    /// Where the broker listens, or listened last, for commands that look at this directory.
    #[serde(default)]
    broker: Option<String>,
}

#[derive(Debug, Clone)]
pub(crate) struct DataDir {
    root: PathBuf,
}

impl DataDir {
    /// Opens or creates `root` for `market`.
    ///
    /// # Errors
    /// When the directory cannot be written, has another layout, or holds the data of another market.
    pub(crate) fn open(root: &Path, market: &str) -> Result<Self> {
        fs::create_dir_all(root).with_context(|| unusable(root))?;
        let dir = Self {
            root: root.to_owned(),
        };
        match dir.note()? {
            Some(note) if note.market != market => bail!(
                "data directory {} holds {}, this run is {market}: name another directory with --data",
                root.display(),
                note.market
            ),
            Some(_) => {}
            None if dir.has_foreign_files()? => bail!(
                "{} is not empty and not a data directory of Coinlake: name another directory with --data",
                root.display()
            ),
            None => dir.write_note(&Note {
                layout: LAYOUT,
                market: market.to_owned(),
                broker: None,
            })?,
        }
        Ok(dir)
    }

    /// Opens an existing data directory of any market.
    ///
    /// # Errors
    /// When there is none at `root`.
    pub(crate) fn existing(root: &Path) -> Result<Self> {
        let dir = Self {
            root: root.to_owned(),
        };
        if dir.note()?.is_none() {
            bail!(
                "{} is not a data directory of Coinlake: name the one that `coinlake up` or `demo` uses",
                root.display()
            );
        }
        Ok(dir)
    }

    /// Deletes a data directory; a directory without our note is not touched.
    ///
    /// # Errors
    /// When a broker is running on it.
    pub(crate) fn clear(root: &Path) -> Result<()> {
        let dir = Self {
            root: root.to_owned(),
        };
        if dir.note()?.is_none() {
            return Ok(());
        }
        // A running broker holds this lock.
        if let Ok(lock) = File::open(dir.broker().join("LOCK"))
            && let Err(TryLockError::WouldBlock) = lock.try_lock()
        {
            bail!(
                "data directory {} is in use by another coinlake: stop it, or name another directory with --data",
                root.display()
            );
        }
        // The note is deleted last: after a kill in between, the directory is still recognized as ours.
        for part in [dir.broker(), dir.lake()] {
            match fs::remove_dir_all(&part) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(error).with_context(|| unusable(root));
                }
                _ => {}
            }
        }
        fs::remove_dir_all(root).with_context(|| unusable(root))
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of the broker's log.
    pub(crate) fn broker(&self) -> PathBuf {
        self.root.join("broker")
    }

    /// The folder of the Parquet layers.
    pub(crate) fn lake(&self) -> PathBuf {
        self.root.join("lake")
    }

    /// Where the source keeps its count of CoinGecko calls.
    pub(crate) fn calls(&self) -> PathBuf {
        self.root.join("coingecko-calls.json")
    }

    /// Stores where the broker listens.
    pub(crate) fn set_broker_addr(&self, addr: &str) -> Result<()> {
        let mut note = self.note()?.with_context(|| {
            format!(
                "{} is missing: another process has deleted the data directory",
                self.root.join(NOTE).display()
            )
        })?;
        note.broker = Some(addr.to_owned());
        self.write_note(&note)
    }

    /// Where the broker listens, or listened last; `None` before its first start.
    pub(crate) fn broker_addr(&self) -> Result<Option<String>> {
        Ok(self.note()?.and_then(|note| note.broker))
    }

    /// Whether CoinGecko fills it, and no replay.
    pub(crate) fn is_live(&self) -> Result<bool> {
        Ok(self.note()?.is_some_and(|note| note.market == LIVE_MARKET))
    }

    /// Whether a directory without a note holds anything but a partial note, which a kill leaves behind, and models, which
    /// can be trained on another lake before the first market.
    fn has_foreign_files(&self) -> Result<bool> {
        let mut entries = fs::read_dir(&self.root).with_context(|| unusable(&self.root))?;
        let ours = |name: &OsStr| name == PARTIAL_NOTE || name == MODELS_FOLDER;
        Ok(entries.any(|entry| entry.is_ok_and(|entry| !ours(&entry.file_name()))))
    }

    fn note(&self) -> Result<Option<Note>> {
        let path = self.root.join(NOTE);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| unusable(&self.root)),
        };
        let mut note: Note = serde_json::from_slice(&text).with_context(|| {
            format!(
                "{} is damaged: restore it, or name another directory with --data",
                path.display()
            )
        })?;
        if note.market == SYNTHETIC_MARKET_FORMER {
            SYNTHETIC_MARKET.clone_into(&mut note.market);
        }
        if note.layout != LAYOUT {
            bail!(
                "data directory {} has layout {}, this version of coinlake reads layout {LAYOUT}: use the version that \
                 wrote it, or name another directory with --data",
                self.root.display(),
                note.layout
            );
        }
        Ok(Some(note))
    }

    fn write_note(&self, note: &Note) -> Result<()> {
        let text = serde_json::to_vec_pretty(note).context("the note cannot be written as JSON")?;
        // Renamed into place: a kill leaves the old note or the new one.
        let partial = self.root.join(PARTIAL_NOTE);
        fs::write(&partial, text).with_context(|| unusable(&self.root))?;
        fs::rename(&partial, self.root.join(NOTE)).with_context(|| unusable(&self.root))
    }
}

fn unusable(root: &Path) -> String {
    format!(
        "data directory {} cannot be used: make it writable, or name another directory with --data",
        root.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_of_another_market_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        DataDir::open(dir.path(), SYNTHETIC_MARKET).unwrap();
        DataDir::open(dir.path(), SYNTHETIC_MARKET).unwrap();
        let error = DataDir::open(dir.path(), "live data")
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("holds the synthetic market, this run is live data"),
            "{error}"
        );
    }

    #[test]
    fn a_directory_that_an_earlier_version_wrote_opens() {
        let dir = tempfile::tempdir().unwrap();
        let note = r#"{"layout": 1, "market": "the made-up market"}"#;
        fs::write(dir.path().join(NOTE), note).unwrap();
        DataDir::open(dir.path(), SYNTHETIC_MARKET).unwrap();
    }

    #[test]
    fn foreign_files_are_not_touched() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("letter.txt"), "dear").unwrap();
        let error = DataDir::open(dir.path(), "live data")
            .unwrap_err()
            .to_string();
        assert!(error.contains("not a data directory"), "{error}");
        DataDir::clear(dir.path()).unwrap();
        assert!(dir.path().join("letter.txt").exists());
    }

    #[test]
    fn a_directory_with_nothing_but_models_opens() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join(MODELS_FOLDER)).unwrap();
        DataDir::open(dir.path(), "live data").unwrap();
    }

    #[test]
    fn another_layout_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(NOTE), r#"{"layout": 99, "market": "x"}"#).unwrap();
        let error = DataDir::open(dir.path(), "x").unwrap_err().to_string();
        assert!(error.contains("has layout 99"), "{error}");
    }
}
