//! Creating files in a local folder.
//!
//! Always true, after each step of a creation (see [`durable::create_new`]):
//! 1. the contents are in `LAKE/_tmp`, perhaps incomplete: nobody reads there, and the next start removes the file;
//! 2. the contents are synced, still invisible;
//! 3. the file is linked under its final name: visible and whole, and nothing was replaced;
//! 4. the temporary name is gone;
//! 5. the folder is synced: the file survives a power cut. Only now is the creation reported.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use crate::durable::{self, Created};
use crate::file::FileName;

/// The folder of files being written. It is beside the layers, so that readers of a layer never list one.
const TEMPORARY: &str = "_tmp";

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
                // Frees the space. If this fails too, the next start sweeps the file.
                let _ = fs::remove_file(&partial);
            }
            created
        })
        .await
    }

    /// Removes what earlier runs left of one partition. A second copy of the stage that is writing such a file writes
    /// it again.
    pub(crate) async fn sweep(
        &self,
        layers: &[String],
        topic: &str,
        partition: u32,
    ) -> io::Result<usize> {
        let folder = self.root.join(TEMPORARY);
        let (layers, topic) = (layers.to_vec(), topic.to_owned());
        blocking(move || {
            let mut swept = 0;
            for entry in fs::read_dir(folder)? {
                let entry = entry?;
                let name = entry.file_name();
                let is_leftover_of = |layer: &String| {
                    name.to_str()
                        .and_then(|name| name.strip_prefix(layer.as_str())?.strip_prefix('.'))
                        .and_then(|dated| dated.split_once('.'))
                        .and_then(|(_date, rest)| rest.rsplit_once('.'))
                        .and_then(|(name, _writer)| FileName::parse(name))
                        .is_some_and(|name| name.topic == topic && name.partition == partition)
                };
                if layers.iter().any(is_leftover_of) {
                    match fs::remove_file(entry.path()) {
                        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                        _ => swept += 1,
                    }
                }
            }
            Ok(swept)
        })
        .await
    }
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

    const PATH: &str = "clean/date=2025-06-01/trades-0-00000000000000000007.parquet";

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

    #[tokio::test]
    async fn sweeps_only_leftovers_of_its_layers_and_partition() {
        let folder = tempfile::tempdir().unwrap();
        let lake = LocalFolder::open(folder.path()).unwrap();
        let temporary = folder.path().join(TEMPORARY);
        let ours = "clean.date=2025-06-01.trades-0-00000000000000000007.parquet.9f";
        let others = [
            "clean.date=2025-06-01.trades-1-00000000000000000007.parquet.9f",
            "raw.date=2025-06-01.trades-0-00000000000000000007.parquet.9f",
        ];
        for name in others.iter().chain([&ours]) {
            fs::write(temporary.join(name), b"torn").unwrap();
        }
        let swept = lake.sweep(&["clean".to_owned()], "trades", 0).await;
        assert_eq!(swept.unwrap(), 1);
        assert_eq!(names(&temporary), others);
    }
}
