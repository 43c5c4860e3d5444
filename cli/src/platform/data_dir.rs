//! The data directory of the one-machine platform: the broker's log, the lake, trained models, and a note that identifies
//! it.

use std::ffi::OsStr;
use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use jiff::Timestamp;

use super::note::{LIVE_MARKET, LastStart, Market, NOTE, Note, PARTIAL_NOTE, unusable};
use crate::models::MODELS_FOLDER;
use crate::settings::CONFIG_FILE;

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
        Ok(Self {
            root: root.to_owned(),
        })
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

    /// Opens an existing data directory of any market; changes nothing.
    ///
    /// # Errors
    /// When there is none at `root`.
    pub(crate) fn existing(root: &Path) -> Result<Self> {
        if Note::read(root)?.is_none() {
            bail!(
                "{} is not a data directory of Coinlake: name the one that `coinlake up` or `demo` uses",
                root.display()
            );
        }
        Ok(Self {
            root: root.to_owned(),
        })
    }

    /// The directory at `root`, whether it is one of ours or not.
    pub(crate) fn at(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
        }
    }

    /// Deletes what Coinlake has put into a data directory; a directory without our note is not touched.
    ///
    /// # Errors
    /// When a broker is running on it.
    pub(crate) fn clear(root: &Path) -> Result<()> {
        let dir = Self {
            root: root.to_owned(),
        };
        if Note::read(root)?.is_none() {
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
        for part in [dir.broker(), dir.own_lake(), root.join(MODELS_FOLDER)] {
            match fs::remove_dir_all(&part) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(error).with_context(|| unusable(root));
                }
                _ => {}
            }
        }
        fs::remove_file(root.join(NOTE)).with_context(|| unusable(root))
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of the broker's log.
    pub(crate) fn broker(&self) -> PathBuf {
        self.root.join("broker")
    }

    /// The folder of the lake, unless it is elsewhere.
    fn own_lake(&self) -> PathBuf {
        self.root.join("lake")
    }

    /// Where the source keeps its count of CoinGecko calls.
    pub(crate) fn calls(&self) -> PathBuf {
        self.root.join("coingecko-calls.json")
    }

    /// Whether CoinGecko fills it, and no replay.
    ///
    /// # Errors
    /// When the note cannot be read.
    pub(crate) fn is_live(&self) -> Result<bool> {
        Ok(Note::read(&self.root)?.is_some_and(|note| note.market.name == LIVE_MARKET))
    }

    /// The lake as a folder or URL: the one that is set, else the directory's own.
    pub(crate) fn lake(&self, set: Option<&str>) -> String {
        set.map_or_else(|| self.own_lake().display().to_string(), str::to_owned)
    }

    /// Stores what this start uses. Only for whoever has started the broker, which locks the directory.
    ///
    /// # Errors
    /// When the note cannot be written.
    pub(crate) fn set_last_start(&self, last_start: LastStart) -> Result<()> {
        let mut note = self.note()?;
        note.last_start = last_start;
        note.write(&self.root)
    }

    /// When `up` trained last, or when it was first asked to; `None` if it never was.
    ///
    /// # Errors
    /// When the note cannot be read.
    pub(crate) fn trained(&self) -> Result<Option<Timestamp>> {
        Ok(self.note()?.trained)
    }

    /// Stores when `up` trains. Only for whoever has started the broker.
    ///
    /// # Errors
    /// When the note cannot be written.
    pub(crate) fn set_trained(&self, at: Timestamp) -> Result<()> {
        let mut note = self.note()?;
        note.trained = Some(at);
        note.write(&self.root)
    }

    /// The file of secrets that the last start used. Whoever looks at the directory is told by others what is wrong with it.
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

    /// What this start uses, or the last one used.
    ///
    /// # Errors
    /// When the note cannot be read.
    pub(crate) fn last_start(&self) -> Result<LastStart> {
        let note = Note::read(&self.root)?;
        Ok(note.map(|note| note.last_start).unwrap_or_default())
    }
}

/// Whether a directory without a note holds anything but what belongs to its volume, a settings file, a partial note, which
/// a kill leaves behind, and models, which can be trained on another lake before the first market.
fn has_foreign_files(root: &Path) -> Result<bool> {
    let mut entries = match fs::read_dir(root) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error).with_context(|| unusable(root)),
    };
    Ok(entries.any(|entry| entry.is_ok_and(|entry| is_foreign(&entry.file_name()))))
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
        let error = DataDir::open(dir.path(), &Market::in_usd("live data"))
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
        let error = DataDir::open(dir.path(), &Market::in_usd("live data"))
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
        DataDir::open(dir.path(), &Market::in_usd("live data")).unwrap();
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
        DataDir::open(dir.path(), &Market::in_usd("live data")).unwrap();
        DataDir::clear(dir.path()).unwrap();
        assert!(dir.path().join("lost+found").exists());
        assert!(!dir.path().join(NOTE).exists());
    }

    #[test]
    fn a_currency_stays() {
        let dir = tempfile::tempdir().unwrap();
        let note = r#"{"layout": 1, "market": "live data", "broker": "127.0.0.1:9003"}"#;
        fs::write(dir.path().join(NOTE), note).unwrap();
        let mut market = Market::in_usd("live data");
        let last_start = DataDir::check(dir.path(), &market).unwrap().unwrap();
        assert_eq!(last_start.broker.as_deref(), Some("127.0.0.1:9003"));
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
        let checked = DataDir::check(&data, &Market::in_usd("live data")).unwrap();
        assert!(checked.is_none() && !data.exists());
    }
}
