//! A folder whose files and folders are complete or absent, even after a power cut.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use lake::durable;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::format::Formatted;
use crate::tracking::error::TrackingError;

/// Locked by every writer.
const LOCK_FILE: &str = "LOCK";
/// Incomplete files. Nobody reads them; the next writer removes them.
const PARTIAL: &str = ".partial";

/// The folder.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    root: PathBuf,
}

/// Excludes other writers while it exists.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Folder {
    pub(super) fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.root
    }

    /// Creates the folder if needed, waits for other writers, and removes what a killed one left.
    pub(super) fn lock(&self) -> Result<Lock, TrackingError> {
        let partial = self.root.join(PARTIAL);
        let path = self.root.join(LOCK_FILE);
        fs::create_dir_all(&self.root).map_err(|error| TrackingError::disk(&self.root, &error))?;
        let file = File::create(&path).map_err(|error| TrackingError::disk(&path, &error))?;
        file.lock()
            .map_err(|error| TrackingError::disk(&path, &error))?;
        match fs::remove_dir_all(&partial) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(TrackingError::disk(&partial, &error))
            }
            _ => Ok(Lock { _file: file }),
        }
    }

    /// A file's contents, if it exists.
    pub(super) fn read(&self, path: &Path) -> Result<Option<Vec<u8>>, TrackingError> {
        let path = self.root.join(path);
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
            {
                Ok(None)
            }
            Err(error) => Err(TrackingError::disk(&path, &error)),
        }
    }

    /// The value in a JSON file, if it exists.
    pub(super) fn read_json<T: DeserializeOwned + Formatted>(
        &self,
        path: &Path,
    ) -> Result<Option<T>, TrackingError> {
        let Some(bytes) = self.read(path)? else {
            return Ok(None);
        };
        let damaged = |reason: String| TrackingError::Damaged {
            path: self.root.join(path).display().to_string(),
            reason,
        };
        let value: T =
            serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        match value.problem() {
            Some(problem) => Err(damaged(problem)),
            None => Ok(Some(value)),
        }
    }

    /// Replaces a JSON file in one step. The caller holds the lock.
    pub(super) fn replace_json(
        &self,
        path: &Path,
        value: &impl Serialize,
    ) -> Result<(), TrackingError> {
        let partial = self.root.join(PARTIAL).join("file.json");
        let target = self.root.join(path);
        write(&partial, &pretty(path, value)?)?;
        rename(&partial, &target)
    }

    /// Creates a folder with a JSON file and other files in one step. The caller holds the lock. A folder of that name is
    /// replaced.
    pub(super) fn create<'a>(
        &self,
        name: &str,
        json_name: &str,
        json: &impl Serialize,
        files: impl Iterator<Item = (PathBuf, &'a [u8])>,
    ) -> Result<(), TrackingError> {
        let partial = self.root.join(PARTIAL).join(name);
        let written = (|| {
            for (path, bytes) in files {
                write(&partial.join(path), bytes)?;
            }
            write(
                &partial.join(json_name),
                &pretty(Path::new(json_name), json)?,
            )
        })();
        if let Err(error) = written {
            // Frees the space. The next writer removes what remains.
            let _ = fs::remove_dir_all(&partial);
            return Err(error);
        }
        let target = self.root.join(name);
        match fs::remove_dir_all(&target) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(TrackingError::disk(&target, &error));
            }
            _ => {}
        }
        rename(&partial, &target)
    }

    /// Removes a folder in one step. The caller holds the lock.
    pub(super) fn remove(&self, name: &str) -> Result<(), TrackingError> {
        let partial = self.root.join(PARTIAL);
        let failed = |error: std::io::Error| TrackingError::disk(&partial, &error);
        durable::create_dir_all(&partial).map_err(failed)?;
        rename(&self.root.join(name), &partial.join(name))?;
        fs::remove_dir_all(&partial).map_err(failed)
    }

    /// The names of its folders.
    pub(super) fn folders(&self) -> Result<Vec<String>, TrackingError> {
        let failed = |error: std::io::Error| TrackingError::disk(&self.root, &error);
        let entries = match fs::read_dir(&self.root) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(failed)?;
            if entry.path().is_dir()
                && let Ok(name) = entry.file_name().into_string()
                && name != PARTIAL
            {
                names.push(name);
            }
        }
        Ok(names)
    }

    /// The paths of all files below a folder, relative to it, with `/`, sorted.
    pub(super) fn files_below(&self, folder: &Path) -> Result<Vec<String>, TrackingError> {
        let root = self.root.join(folder);
        let mut files = Vec::new();
        let mut folders = vec![(root, String::new())];
        while let Some((folder, prefix)) = folders.pop() {
            let failed = |error: std::io::Error| TrackingError::disk(&folder, &error);
            let entries = match fs::read_dir(&folder) {
                Ok(entries) => entries,
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(failed(error)),
            };
            for entry in entries {
                let entry = entry.map_err(failed)?;
                let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
                if entry.path().is_dir() {
                    folders.push((entry.path(), format!("{name}/")));
                } else {
                    files.push(name);
                }
            }
        }
        files.sort();
        Ok(files)
    }
}

fn pretty(path: &Path, value: &impl Serialize) -> Result<Vec<u8>, TrackingError> {
    serde_json::to_vec_pretty(value).map_err(|error| TrackingError::Damaged {
        path: path.display().to_string(),
        reason: error.to_string(),
    })
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), TrackingError> {
    durable::write(path, bytes).map_err(|error| TrackingError::disk(path, &error))
}

fn rename(from: &Path, to: &Path) -> Result<(), TrackingError> {
    durable::rename(from, to).map_err(|error| TrackingError::disk(to, &error))
}
