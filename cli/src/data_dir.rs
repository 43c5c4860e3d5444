//! The data directory of the one-machine platform: the broker's log, the lake and a note that says whose it is.

use std::ffi::OsStr;
use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

/// Raised when the layout below changes so that an older directory can no longer be read.
const LAYOUT: u32 = 1;
const NOTE: &str = "coinlake.json";
const PARTIAL_NOTE: &str = "coinlake.json.partial";
/// Where models are kept.
pub const MODELS: &str = "models";

/// What the note holds.
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    layout: u32,
    /// Which market fills this directory: a replay keeps its position by counting records, so markets do not mix.
    market: String,
    /// Where the broker listens, for `coinlake health --data`.
    #[serde(default)]
    broker: Option<String>,
}

/// An opened data directory.
#[derive(Debug, Clone)]
pub struct DataDir {
    root: PathBuf,
}

impl DataDir {
    /// Opens or creates `root` for `market`.
    ///
    /// # Errors
    /// When the directory cannot be written, is of another layout, or holds another market's data.
    pub fn open(root: &Path, market: &str) -> Result<Self> {
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
            None if dir.holds_something()? => bail!(
                "{} is not empty and not a data directory of Coinlake: name another one with --data",
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

    /// Opens an existing data directory, whatever its market.
    pub fn existing(root: &Path) -> Result<Self> {
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

    /// Empties a data directory of ours; leaves anything else alone.
    pub fn clear(root: &Path) -> Result<()> {
        let dir = Self {
            root: root.to_owned(),
        };
        if dir.note()?.is_none() {
            return Ok(());
        }
        // The broker holds this lock as long as it runs.
        if let Ok(lock) = File::open(dir.broker().join("LOCK"))
            && let Err(TryLockError::WouldBlock) = lock.try_lock()
        {
            bail!(
                "data directory {} is in use by another coinlake: stop it, or name another directory with --data",
                root.display()
            );
        }
        // The note goes last: a kill in between leaves a directory that is still known to be ours.
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

    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where the broker keeps its log.
    pub fn broker(&self) -> PathBuf {
        self.root.join("broker")
    }

    /// Where the Parquet layers lie.
    pub fn lake(&self) -> PathBuf {
        self.root.join("lake")
    }

    /// Notes where the broker of this directory listens.
    pub fn set_broker_addr(&self, addr: &str) -> Result<()> {
        let mut note = self.note()?.context("the data directory's note has gone")?;
        note.broker = Some(addr.to_owned());
        self.write_note(&note)
    }

    /// Where the broker of this directory listened last.
    pub fn broker_addr(&self) -> Result<Option<String>> {
        Ok(self.note()?.and_then(|note| note.broker))
    }

    /// Whether there is anything but a note that a kill left half-written, and models of another lake, which may be
    /// there before the first market.
    fn holds_something(&self) -> Result<bool> {
        let mut entries = fs::read_dir(&self.root).with_context(|| unusable(&self.root))?;
        let ours = |name: &OsStr| name == PARTIAL_NOTE || name == MODELS;
        Ok(entries.any(|entry| entry.is_ok_and(|entry| !ours(&entry.file_name()))))
    }

    fn note(&self) -> Result<Option<Note>> {
        let path = self.root.join(NOTE);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| unusable(&self.root)),
        };
        let note: Note = serde_json::from_slice(&text).with_context(|| {
            format!(
                "{} is damaged: restore it, or start with another --data directory",
                path.display()
            )
        })?;
        if note.layout != LAYOUT {
            bail!(
                "data directory {} has layout {}, this version of coinlake reads layout {LAYOUT}: use the version that \
                 wrote it, or another --data directory",
                self.root.display(),
                note.layout
            );
        }
        Ok(Some(note))
    }

    fn write_note(&self, note: &Note) -> Result<()> {
        let text = serde_json::to_vec_pretty(note).context("the note cannot be written as JSON")?;
        // Renamed into place, so that a kill leaves the old note or the new one.
        let partial = self.root.join(PARTIAL_NOTE);
        fs::write(&partial, text).with_context(|| unusable(&self.root))?;
        fs::rename(&partial, self.root.join(NOTE)).with_context(|| unusable(&self.root))
    }
}

fn unusable(root: &Path) -> String {
    format!(
        "data directory {} cannot be used: make it writable, or name another one with --data",
        root.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_keeps_its_market() {
        let dir = tempfile::tempdir().unwrap();
        DataDir::open(dir.path(), "the made-up market").unwrap();
        DataDir::open(dir.path(), "the made-up market").unwrap();
        let error = DataDir::open(dir.path(), "live data")
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("holds the made-up market, this run is live data"),
            "{error}"
        );
    }

    #[test]
    fn foreign_files_are_left_alone() {
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
    fn models_may_be_there_first() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join(MODELS)).unwrap();
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
