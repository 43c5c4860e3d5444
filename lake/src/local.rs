//! Creating files in a local folder.
//!
//! Always true, after each step of a creation:
//! 1. the contents are in `LAKE/_tmp`, maybe torn: nobody looks there, the next start removes it;
//! 2. they are synced, still unseen;
//! 3. linked under the final name: visible, whole; `link` fails when the name exists, so nothing is ever replaced;
//! 4. the temporary name is gone;
//! 5. the directory is synced: the file survives a power cut. Only now is the creation reported.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use crate::{Created, FileName};

/// Files on their way. It lies beside the layers, so that whoever reads a layer never sees one.
const TEMPORARY: &str = "_tmp";

#[derive(Debug, Clone)]
pub(super) struct LocalRoot {
    root: PathBuf,
}

impl LocalRoot {
    pub(super) fn new(root: &Path) -> io::Result<Self> {
        create_dirs(root)?;
        create_dirs(&root.join(TEMPORARY))?;
        Ok(Self {
            root: root.to_owned(),
        })
    }

    pub(super) async fn create(
        &self,
        path: &str,
        contents: Bytes,
        writer: &str,
    ) -> io::Result<Created> {
        let target = self.root.join(path);
        let unseen = format!("{}.{writer}", path.replace('/', "."));
        let unseen = self.root.join(TEMPORARY).join(unseen);
        blocking(move || {
            let created = create(&target, &unseen, &contents);
            if created.is_err() {
                // Give the space back; what could not be removed is swept at the next start.
                let _ = fs::remove_file(&unseen);
            }
            created
        })
        .await
    }

    /// Removes what earlier runs left of one partition. Two copies of a stage must not run at once, so nobody is
    /// writing these; and if somebody is, they only have to write again.
    pub(super) async fn sweep(
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
                let of_ours = |layer: &String| {
                    name.to_str()
                        .and_then(|name| name.strip_prefix(layer.as_str())?.strip_prefix('.'))
                        .and_then(|dated| dated.split_once('.'))
                        .and_then(|(_date, rest)| rest.rsplit_once('.'))
                        .and_then(|(name, _writer)| FileName::parse(name))
                        .is_some_and(|f| f.topic == topic && f.partition == partition)
                };
                if layers.iter().any(of_ours) {
                    match fs::remove_file(entry.path()) {
                        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
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
        Err(e) => Err(io::Error::other(e)),
    }
}

fn create(target: &Path, unseen: &Path, contents: &[u8]) -> io::Result<Created> {
    let folder = target
        .parent()
        .ok_or_else(|| io::Error::other("a data file lies in a folder"))?;
    create_dirs(folder)?;
    if let Some(parent) = folder
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
    {
        // Also when the folder was there: whoever made it may have died before this.
        sync_dir(parent)?;
    }
    let mut file = File::create(unseen)?;
    file.write_all(contents)?;
    file.sync_all()?;
    drop(file);
    let created = match fs::hard_link(unseen, target) {
        Ok(()) => Created::New,
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Created::NameTaken,
        Err(e) => return Err(e),
    };
    fs::remove_file(unseen)?;
    // Also when the name was taken: an earlier try of ours may have failed just before this.
    sync_dir(folder)?;
    Ok(created)
}

/// Creates a folder and its missing parents, each durable in its own parent.
fn create_dirs(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let parent = match folder.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => return Ok(()),
    };
    create_dirs(parent)?;
    match fs::create_dir(folder) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(e),
        _ => {}
    }
    sync_dir(parent)
}

fn sync_dir(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = "clean/date=2025-06-01/crypto-raw-0-00000000000000000007.parquet";

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<String> = entries
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[tokio::test]
    async fn creates_a_file_once_and_leaves_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let root = LocalRoot::new(folder.path()).unwrap();
        let first = root.create(PATH, Bytes::from_static(b"one"), "a").await;
        assert_eq!(first.unwrap(), Created::New);
        let second = root.create(PATH, Bytes::from_static(b"two"), "b").await;
        assert_eq!(second.unwrap(), Created::NameTaken);
        assert_eq!(fs::read(folder.path().join(PATH)).unwrap(), b"one");
        assert!(names(&folder.path().join(TEMPORARY)).is_empty());
    }

    #[tokio::test]
    async fn sweeps_only_its_own_leftovers() {
        let folder = tempfile::tempdir().unwrap();
        let root = LocalRoot::new(folder.path()).unwrap();
        let tmp = folder.path().join(TEMPORARY);
        let ours = "clean.date=2025-06-01.crypto-raw-0-00000000000000000007.parquet.9f";
        let others = [
            "clean.date=2025-06-01.crypto-raw-1-00000000000000000007.parquet.9f",
            "raw.date=2025-06-01.crypto-raw-0-00000000000000000007.parquet.9f",
        ];
        for name in others.iter().chain([&ours]) {
            fs::write(tmp.join(name), b"torn").unwrap();
        }
        let swept = root.sweep(&["clean".to_owned()], "crypto-raw", 0).await;
        assert_eq!(swept.unwrap(), 1);
        assert_eq!(names(&tmp), others);
    }
}
