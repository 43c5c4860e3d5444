//! Creating files in a local folder.
//!
//! Always true, after each step of a creation (see [`durable::create_new`]):
//! 1. the contents are in `LAKE/_tmp`, perhaps incomplete: nobody reads there, and vacuum takes the file;
//! 2. the contents are synced, still invisible;
//! 3. the file is linked under its final name: visible and whole, and nothing was replaced;
//! 4. the temporary name is gone;
//! 5. the folder is synced: the file survives a power cut. Only now is the creation reported.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use rustix::fs::{Timespec, Timestamps, UTIME_NOW};
use tempfile::TempPath;

use crate::durable::{self, Created};

/// The folder of files being written. It is beside the layers, so that readers of a layer never list one.
pub(crate) const TEMPORARY: &str = "_tmp";

/// The lake's root on a local disk.
#[derive(Debug, Clone)]
pub(crate) struct LocalFolder {
    root: PathBuf,
}

impl LocalFolder {
    /// Creates the folder if it is missing.
    pub(crate) fn open(root: &Path) -> io::Result<Self> {
        durable::create_dir_all(root)?;
        durable::create_dir_all(&root.join(TEMPORARY))?;
        Ok(Self {
            root: root.to_owned(),
        })
    }

    /// Where a path of the lake lies.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// The folder of files being written.
    pub(crate) fn temporary(&self) -> PathBuf {
        self.root.join(TEMPORARY)
    }

    /// Creates a file if its name is free; `path` is relative to the lake.
    pub(crate) async fn create(
        &self,
        path: &str,
        contents: Bytes,
        writer: &str,
    ) -> io::Result<Created> {
        let target = self.root.join(path);
        let partial = format!("{}.{writer}", path.replace('/', "."));
        let partial = self.root.join(TEMPORARY).join(partial);
        blocking(move || {
            let created = durable::create_new(&target, &partial, &contents);
            if created.is_err() {
                // Frees the space. If this fails too, vacuum takes the file.
                let _ = fs::remove_file(&partial);
            }
            created
        })
        .await
    }

    /// Writes a file under a name that nobody else uses.
    pub(crate) async fn put(&self, path: &str, contents: Bytes) -> io::Result<()> {
        let target = self.root.join(path);
        blocking(move || {
            let written = durable::write(&target, &contents);
            if written.is_err() {
                // The next attempt has another name. If this fails too, vacuum takes the file.
                let _ = fs::remove_file(&target);
            }
            written
        })
        .await
    }

    /// Moves a complete file from [`LocalFolder::temporary`] to a name that nobody else uses.
    pub(crate) async fn take(&self, path: &str, file: TempPath) -> io::Result<()> {
        let target = self.root.join(path);
        blocking(move || {
            fs::File::open(&file)?.sync_all()?;
            if let Some(folder) = target.parent() {
                durable::create_dir_all(folder)?;
            }
            durable::rename(&file, &target)
        })
        .await
    }

    /// The file system's time, in milliseconds since the epoch: that of a change made just now, which takes no space.
    pub(crate) async fn now_ms(&self) -> io::Result<i64> {
        let folder = self.temporary();
        blocking(move || {
            let now = Timespec {
                tv_sec: 0,
                tv_nsec: UTIME_NOW,
            };
            // Both: whoever may write there may set them to now.
            let times = Timestamps {
                last_access: now,
                last_modification: now,
            };
            rustix::fs::futimens(fs::File::open(&folder)?, &times)?;
            changed_ms(&folder)
        })
        .await
    }

    /// Removes the empty folders in a folder that were last changed before `before_ms`, in milliseconds since the epoch.
    pub(crate) async fn remove_empty_folders(&self, path: &str, before_ms: i64) -> io::Result<()> {
        let folder = self.root.join(path);
        blocking(move || {
            for entry in fs::read_dir(&folder)? {
                let entry = entry?;
                if entry.file_type()?.is_dir() && changed_ms(&entry.path())? < before_ms {
                    // One that is not empty stays.
                    let _ = fs::remove_dir(entry.path());
                }
            }
            Ok(())
        })
        .await
    }

    /// Writes a file in the place of what was there.
    pub(crate) async fn replace(&self, path: &str, contents: Bytes) -> io::Result<()> {
        let target = self.root.join(path);
        let partial = format!("{}.{:016x}", path.replace('/', "."), rand::random::<u64>());
        let partial = self.root.join(TEMPORARY).join(partial);
        blocking(move || {
            let replaced = durable::write(&partial, &contents)
                .and_then(|()| durable::rename(&partial, &target));
            if replaced.is_err() {
                let _ = fs::remove_file(&partial);
            }
            replaced
        })
        .await
    }
}

/// When a file or folder was last changed, in milliseconds since the epoch.
fn changed_ms(path: &Path) -> io::Result<i64> {
    let changed = jiff::Timestamp::try_from(fs::metadata(path)?.modified()?);
    changed
        .map(jiff::Timestamp::as_millisecond)
        .map_err(io::Error::other)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(io::Error::other(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = "clean/_delta_log/00000000000000000007.json";

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[tokio::test]
    async fn creates_a_file_once_and_leaves_no_temporary_file() {
        let folder = tempfile::tempdir().unwrap();
        let lake = LocalFolder::open(folder.path()).unwrap();
        let first = lake.create(PATH, Bytes::from_static(b"one"), "a").await;
        assert_eq!(first.unwrap(), Created::New);
        let second = lake.create(PATH, Bytes::from_static(b"two"), "b").await;
        assert_eq!(second.unwrap(), Created::NameTaken);
        assert_eq!(fs::read(folder.path().join(PATH)).unwrap(), b"one");
        assert!(names(&folder.path().join(TEMPORARY)).is_empty());
    }
}
