//! The data directory of the one-machine platform: the broker's log, the lake, trained models, and a note that identifies
//! it.

use std::ffi::OsStr;
use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use jiff::Timestamp;

use super::desk::{DESK_FILE, PARTIAL_DESK_FILE};
use super::note::{LIVE_MARKET, LastStart, Market, NOTE, Note, PARTIAL_NOTE, unusable};
use super::parts_file::{PARTIAL_PARTS_FILE, PARTS_FILE};
use crate::models::MODELS_FOLDER;
use crate::settings::CONFIG_FILE;

/// The source's count of CoinGecko calls.
const CALLS_FILE: &str = "coingecko-calls.json";

/// What file systems and desktops put into a folder by themselves; no reason to refuse a fresh volume.
const SYSTEM_FILES: [&str; 13] = [
    "lost+found",
    ".DS_Store",
    ".Spotlight-V100",
    ".TemporaryItems",
    ".Trashes",
    ".fseventsd",
    ".snapshot",
    ".snapshots",
    ".zfs",
    "$RECYCLE.BIN",
    "System Volume Information",
    "Thumbs.db",
    "desktop.ini",
];
/// The same, followed by a name or number: recycle bins, resource forks, files deleted on NFS while open.
const SYSTEM_PREFIXES: [&str; 3] = [".Trash-", "._", ".nfs"];

/// A handle to a data directory, which may not exist.
#[derive(Debug, Clone)]
pub(crate) struct DataDir {
    root: PathBuf,
}

impl DataDir {
    /// Opens or creates `root` for `market`.
    ///
    /// # Errors
    /// As [`DataDir::check`], and when the directory cannot be written.
    pub(crate) fn open(root: &Path, market: &Market) -> Result<Self> {
        if Self::check(root, market)?.is_none() {
            fs::create_dir_all(root).with_context(|| unusable(root))?;
            Note::new(market.clone()).write(root)?;
        }
        Ok(Self::at(root))
    }

    /// Checks whether `root` can hold `market`, and changes nothing. Returns what its last start used; `None` if it is new.
    ///
    /// # Errors
    /// When the directory has another layout, or holds the data of another market or somebody else's files.
    pub(crate) fn check(root: &Path, market: &Market) -> Result<Option<LastStart>> {
        let Some(note) = Note::read(root)? else {
            if has_foreign_files(root)? {
                bail!(
                    "{} is not empty and not a data directory of Coinlake: name another directory with --data",
                    root.display()
                );
            }
            return Ok(None);
        };
        if note.market.name != market.name {
            bail!(
                "data directory {} holds {}, this run is {}: name another directory with --data",
                root.display(),
                note.market.name,
                market.name
            );
        }
        if note.market.currency != market.currency {
            bail!(
                "data directory {} holds prices in {}, this run's are in {}, and they do not compare: set \
                 coingecko.vs_currency to {}, or name another directory with --data",
                root.display(),
                note.market.currency,
                market.currency,
                note.market.currency
            );
        }
        Ok(Some(note.last_start))
    }

    /// The data directory at `root`, of any market; `None` if there is none. Changes nothing.
    ///
    /// # Errors
    /// When its note cannot be read.
    pub(crate) fn find(root: &Path) -> Result<Option<Self>> {
        Ok(Note::read(root)?.map(|_| Self::at(root)))
    }

    /// [`DataDir::find`] where there must be one.
    ///
    /// # Errors
    /// When there is none at `root`.
    pub(crate) fn existing(root: &Path) -> Result<Self> {
        Self::find(root)?.with_context(|| {
            format!(
                "{} is not a data directory of Coinlake: name the one that `coinlake up` or `demo` uses",
                root.display()
            )
        })
    }

    /// The directory at `root`, whether it is one of ours or not.
    pub(crate) fn at(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
        }
    }

    /// Deletes a demo's data; a directory without our note is not touched.
    ///
    /// # Errors
    /// When a broker is running on it, or it holds live data.
    pub(crate) fn clear(root: &Path) -> Result<()> {
        let dir = Self::at(root);
        let Some(note) = Note::read(root)? else {
            return Ok(());
        };
        if note.market.name == LIVE_MARKET {
            bail!(
                "data directory {} holds live data, which a demo would delete: name another directory with --data",
                root.display()
            );
        }
        // Held until nothing but the lock itself and the note is left: nobody else clears the directory or starts a broker on it.
        let _lock = dir.lock_broker()?;
        for folder in [dir.own_lake(), root.join(MODELS_FOLDER)] {
            deleted(root, fs::remove_dir_all(&folder))?;
        }
        for file in [
            PARTIAL_NOTE,
            CALLS_FILE,
            PARTS_FILE,
            PARTIAL_PARTS_FILE,
            DESK_FILE,
            PARTIAL_DESK_FILE,
        ] {
            deleted(root, fs::remove_file(root.join(file)))?;
        }
        dir.clear_broker()?;
        // Last: after a kill in between, the directory is still recognized as ours.
        deleted(root, fs::remove_file(root.join(NOTE)))
    }

    /// Deletes the broker's folder, the lock last.
    fn clear_broker(&self) -> Result<()> {
        let broker = self.broker_dir();
        let entries = match fs::read_dir(&broker) {
            Ok(entries) => entries,
            Err(error) => return deleted(&self.root, Err(error)),
        };
        for entry in entries {
            let entry = entry.with_context(|| unusable(&self.root))?;
            if entry.file_name() == broker::LOCK_FILE {
                continue;
            }
            let gone = match entry.file_type() {
                Ok(kind) if kind.is_dir() => fs::remove_dir_all(entry.path()),
                _ => fs::remove_file(entry.path()),
            };
            deleted(&self.root, gone)?;
        }
        deleted(&self.root, fs::remove_dir_all(&broker))
    }

    /// The lock of the broker's folder; `None` where no broker has run.
    fn lock_broker(&self) -> Result<Option<File>> {
        let lock = match File::open(self.broker_dir().join(broker::LOCK_FILE)) {
            Ok(lock) => lock,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| unusable(&self.root)),
        };
        match lock.try_lock() {
            Ok(()) => Ok(Some(lock)),
            Err(TryLockError::WouldBlock) => bail!(
                "data directory {} is in use by another coinlake: stop it, or name another directory with --data",
                self.root.display()
            ),
            Err(TryLockError::Error(error)) => Err(error).with_context(|| unusable(&self.root)),
        }
    }

    /// Whether a broker runs on it.
    ///
    /// # Errors
    /// When its folder cannot be read.
    pub(crate) fn is_running(&self) -> Result<bool> {
        let Ok(lock) = File::open(self.broker_dir().join(broker::LOCK_FILE)) else {
            return Ok(false);
        };
        match lock.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(error).with_context(|| unusable(&self.root)),
        }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of the broker's log.
    pub(crate) fn broker_dir(&self) -> PathBuf {
        self.root.join("broker")
    }

    /// The lake's folder unless the settings name another lake.
    fn own_lake(&self) -> PathBuf {
        self.root.join("lake")
    }

    /// Where the source keeps its count of CoinGecko calls.
    pub(crate) fn calls_file(&self) -> PathBuf {
        self.root.join(CALLS_FILE)
    }

    /// Whose data it holds.
    ///
    /// # Errors
    /// When the note cannot be read.
    pub(crate) fn market(&self) -> Result<Market> {
        Ok(self.note()?.market)
    }

    /// The lake as a folder or URL: the configured one, else the directory's own.
    pub(crate) fn lake(&self, configured: Option<&str>) -> String {
        configured.map_or_else(|| self.own_lake().display().to_string(), str::to_owned)
    }

    /// Stores what this start uses. Call only in the process that runs the broker: its lock makes that process the note's only
    /// writer.
    ///
    /// # Errors
    /// When the note cannot be written.
    pub(crate) fn set_last_start(&self, last_start: LastStart) -> Result<()> {
        let mut note = self.note()?;
        note.last_start = last_start;
        note.write(&self.root)
    }

    /// When the current training interval began: at the last training, or at the first start that asked for one.
    ///
    /// # Errors
    /// When the note cannot be read.
    pub(crate) fn training_since(&self) -> Result<Option<Timestamp>> {
        Ok(self.note()?.trained)
    }

    /// Stores when a training interval begins. Call only in the process that runs the broker.
    ///
    /// # Errors
    /// When the note cannot be written.
    pub(crate) fn set_training_since(&self, at: Timestamp) -> Result<()> {
        let mut note = self.note()?;
        note.trained = Some(at);
        note.write(&self.root)
    }

    /// The secrets file of the last start, if it still exists. A damaged note counts as none: the command itself reports it.
    pub(crate) fn secrets_file(&self) -> Option<PathBuf> {
        let last_start = self.last_start().ok()?;
        last_start.secrets.filter(|path| path.is_file())
    }

    fn note(&self) -> Result<Note> {
        Note::read(&self.root)?.with_context(|| {
            format!(
                "{} is missing: another process has deleted the data directory",
                self.root.join(NOTE).display()
            )
        })
    }

    /// What the current or last start uses; the default where there is no note.
    ///
    /// # Errors
    /// When the note cannot be read.
    pub(crate) fn last_start(&self) -> Result<LastStart> {
        let note = Note::read(&self.root)?;
        Ok(note.map(|note| note.last_start).unwrap_or_default())
    }
}

/// What is deleted may be gone already.
fn deleted(root: &Path, result: io::Result<()>) -> Result<()> {
    match result {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| unusable(root))
        }
        _ => Ok(()),
    }
}

/// Whether a directory without a note holds files of somebody else. Not foreign: what the volume itself creates, a settings
/// file, a partial note (left by a kill), and models (which may be trained before the first start).
fn has_foreign_files(root: &Path) -> Result<bool> {
    let entries = match fs::read_dir(root) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error).with_context(|| unusable(root)),
    };
    for entry in entries {
        let entry = entry.with_context(|| unusable(root))?;
        if is_foreign(&entry.file_name()) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn is_foreign(name: &OsStr) -> bool {
    let ours = [PARTIAL_NOTE, MODELS_FOLDER, CONFIG_FILE];
    let known = ours.iter().chain(&SYSTEM_FILES).any(|known| name == *known);
    let name = name.to_string_lossy();
    let of_system = SYSTEM_PREFIXES
        .iter()
        .any(|prefix| name.starts_with(prefix));
    !known && !of_system
}

#[cfg(test)]
mod tests {
    use super::super::note::SYNTHETIC_MARKET;
    use super::*;

    #[test]
    fn a_directory_of_another_market_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        DataDir::open(dir.path(), &Market::in_usd(SYNTHETIC_MARKET)).unwrap();
        DataDir::open(dir.path(), &Market::in_usd(SYNTHETIC_MARKET)).unwrap();
        let error = DataDir::open(dir.path(), &Market::in_usd(LIVE_MARKET))
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
        DataDir::open(dir.path(), &Market::in_usd(SYNTHETIC_MARKET)).unwrap();
    }

    #[test]
    fn foreign_files_are_not_touched() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("letter.txt"), "dear").unwrap();
        let error = DataDir::open(dir.path(), &Market::in_usd(LIVE_MARKET))
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
        DataDir::open(dir.path(), &Market::in_usd(LIVE_MARKET)).unwrap();
    }

    #[test]
    fn another_layout_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(NOTE), r#"{"layout": 99, "market": "x"}"#).unwrap();
        let error = DataDir::open(dir.path(), &Market::in_usd("x"))
            .unwrap_err()
            .to_string();
        assert!(error.contains("has layout 99"), "{error}");
    }

    #[test]
    fn a_fresh_volume_is_empty() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["lost+found", ".Trash-1000"] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        for name in [".DS_Store", "._.DS_Store", ".nfs0001", CONFIG_FILE] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        DataDir::open(dir.path(), &Market::in_usd(SYNTHETIC_MARKET)).unwrap();
        DataDir::clear(dir.path()).unwrap();
        assert!(dir.path().join("lost+found").exists());
        assert!(!dir.path().join(NOTE).exists());
    }

    #[test]
    fn a_cleared_directory_opens_again() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::open(dir.path(), &Market::in_usd(SYNTHETIC_MARKET)).unwrap();
        fs::create_dir(data.broker_dir()).unwrap();
        for file in [data.calls_file(), dir.path().join(PARTS_FILE)] {
            fs::write(file, "{}").unwrap();
        }
        DataDir::clear(dir.path()).unwrap();
        DataDir::open(dir.path(), &Market::in_usd(LIVE_MARKET)).unwrap();
    }

    #[test]
    fn live_data_is_not_cleared() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::open(dir.path(), &Market::in_usd(LIVE_MARKET)).unwrap();
        let error = DataDir::clear(data.root()).unwrap_err().to_string();
        assert!(error.contains("holds live data"), "{error}");
        assert!(data.root().join(NOTE).exists());
    }

    #[test]
    fn a_directory_whose_broker_runs_is_not_cleared() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::open(dir.path(), &Market::in_usd(SYNTHETIC_MARKET)).unwrap();
        assert!(!data.is_running().unwrap());
        fs::create_dir(data.broker_dir()).unwrap();
        let lock = File::create(data.broker_dir().join(broker::LOCK_FILE)).unwrap();
        assert!(!data.is_running().unwrap());
        lock.try_lock().unwrap();
        assert!(data.is_running().unwrap());
        let error = DataDir::clear(data.root()).unwrap_err().to_string();
        assert!(error.contains("in use by another coinlake"), "{error}");
        drop(lock);
        DataDir::clear(data.root()).unwrap();
        assert!(!data.broker_dir().exists());
    }

    #[test]
    fn a_directory_is_locked_while_anything_is_left_in_it() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::open(dir.path(), &Market::in_usd(SYNTHETIC_MARKET)).unwrap();
        let topics = data.broker_dir().join("topics");
        fs::create_dir_all(&topics).unwrap();
        let lock = data.broker_dir().join(broker::LOCK_FILE);
        fs::write(&lock, "").unwrap();
        // A folder in a file's place, so clearing ends there.
        let obstacle = dir.path().join(PARTS_FILE);
        fs::create_dir(&obstacle).unwrap();
        DataDir::clear(dir.path()).unwrap_err();
        assert!(lock.exists() && topics.exists() && dir.path().join(NOTE).exists());
        fs::remove_dir(&obstacle).unwrap();
        DataDir::clear(dir.path()).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn an_earlier_note_is_in_usd() {
        let dir = tempfile::tempdir().unwrap();
        let note = r#"{"layout": 1, "market": "live data", "broker": "127.0.0.1:9003"}"#;
        fs::write(dir.path().join(NOTE), note).unwrap();
        let last_start = DataDir::check(dir.path(), &Market::in_usd(LIVE_MARKET)).unwrap();
        let broker = last_start.unwrap().broker;
        assert_eq!(broker.as_deref(), Some("127.0.0.1:9003"));
    }

    #[test]
    fn another_currency_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let mut market = Market::in_usd(LIVE_MARKET);
        DataDir::open(dir.path(), &market).unwrap();
        "eur".clone_into(&mut market.currency);
        let error = DataDir::open(dir.path(), &market).unwrap_err().to_string();
        assert!(error.contains("holds prices in usd"), "{error}");
        assert!(
            error.contains("set coingecko.vs_currency to usd"),
            "{error}"
        );
    }

    #[test]
    fn a_check_creates_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        let checked = DataDir::check(&data, &Market::in_usd(LIVE_MARKET)).unwrap();
        assert!(checked.is_none() && !data.exists());
    }
}
