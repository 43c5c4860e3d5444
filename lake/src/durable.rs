//! Local files and folders that survive a power cut.
//!
//! A file's contents are durable after `fsync` of the file; its *name* only after `fsync` of the folder it is in. Each
//! function here returns when both are done.
//!
//! ```
//! use lake::durable;
//!
//! # fn main() -> std::io::Result<()> {
//! let folder = tempfile::tempdir()?;
//! let (partial, target) = (folder.path().join("model.partial"), folder.path().join("model.json"));
//! durable::write(&partial, b"{}")?;
//! durable::rename(&partial, &target)?; // readers see the old file or the new one, never half of it
//! assert_eq!(std::fs::read(&target)?, b"{}");
//! # Ok(())
//! # }
//! ```

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// The outcome of creating a file under a name that must be free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// The file exists now, whole and durable.
    New,
    /// A file of that name existed already. It was not changed.
    NameTaken,
}

/// Writes a file, and creates the folders that lead to it.
///
/// The file is visible while it is being written: write under another name and [`rename`] when someone may read it.
///
/// # Errors
/// When a folder or the file cannot be written; an incomplete file may be left.
pub fn write(path: &Path, contents: &[u8]) -> io::Result<()> {
    let folder = folder_of(path);
    create_dir_all(folder)?;
    write_to(File::create(path)?, contents)?;
    sync_dir(folder)
}

/// Renames a file or folder within one file system. A file at `to` is replaced in one step.
///
/// # Errors
/// When it cannot be renamed. After a failed sync the new name may exist without being durable.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    sync_dir(folder_of(to))
}

/// Creates `target` in one step, only if the name is free. The contents are first written to `partial`, which must be
/// on the same file system, in a folder that exists, and is removed at the end if that is possible.
///
/// # Errors
/// When a step fails: `partial` may be left, and `target` may exist without being durable. The call may be repeated.
pub fn create_new(target: &Path, partial: &Path, contents: &[u8]) -> io::Result<Created> {
    let folder = folder_of(target);
    create_dir_all(folder)?;
    // Even when the folder existed: the process that created it may have died before this sync.
    sync_dir(folder_of(folder))?;
    // What an earlier attempt left may be the target under its other name: that is never written to again.
    match fs::remove_file(partial) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    write_to(File::create_new(partial)?, contents)?;
    // `link` fails when the name exists; `rename` would replace the file.
    let created = match fs::hard_link(partial, target) {
        Ok(()) => Created::New,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Created::NameTaken,
        Err(error) => return Err(link_error(error)),
    };
    // The file is there. A full disk of some kinds refuses to remove a name.
    let _ = fs::remove_file(partial);
    // Even when the name was taken: an earlier attempt may have linked the file and failed before this sync.
    sync_dir(folder)?;
    Ok(created)
}

/// EPERM, with which FAT and its like refuse a link, says nothing of permissions: those would be EACCES.
fn link_error(error: io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(1) => io::Error::new(io::ErrorKind::Unsupported, error),
        _ => error,
    }
}

/// Creates a folder and its missing parents, each durable in its own parent.
///
/// # Errors
/// When one cannot be created.
pub fn create_dir_all(folder: &Path) -> io::Result<()> {
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    let parent = folder_of(folder);
    create_dir_all(parent)?;
    match fs::create_dir(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    sync_dir(parent)
}

/// Makes the names in a folder durable: files and folders that were created, renamed or removed in it.
///
/// # Errors
/// When the folder cannot be opened or synced.
pub fn sync_dir(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn write_to(mut file: File, contents: &[u8]) -> io::Result<()> {
    file.write_all(contents)?;
    file.sync_all()
}

/// The folder that holds the name, which is `.` for a bare name.
fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn creates_missing_folders_for_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/file");
        write(&path, b"one").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"one");
    }

    #[test]
    fn creates_a_file_only_if_the_name_is_free() {
        let folder = tempfile::tempdir().unwrap();
        let (target, partial) = (folder.path().join("a/file"), folder.path().join("partial"));
        assert_eq!(create_new(&target, &partial, b"one").unwrap(), Created::New);
        let second = create_new(&target, &partial, b"two").unwrap();
        assert_eq!(second, Created::NameTaken);
        assert_eq!(fs::read(&target).unwrap(), b"one");
        assert!(!partial.exists());
    }

    #[test]
    fn a_file_that_was_created_is_never_written_to_again() {
        let folder = tempfile::tempdir().unwrap();
        let (target, partial) = (folder.path().join("file"), folder.path().join("partial"));
        create_new(&target, &partial, b"one").unwrap();
        // As after an attempt that could not remove the other name.
        fs::hard_link(&target, &partial).unwrap();
        let second = create_new(&target, &partial, b"two").unwrap();
        assert_eq!(second, Created::NameTaken);
        assert_eq!(fs::read(&target).unwrap(), b"one");
    }

    #[test]
    fn a_file_system_without_links_is_no_matter_of_permissions() {
        let kind = |code| link_error(io::Error::from_raw_os_error(code)).kind();
        assert_eq!(kind(1), io::ErrorKind::Unsupported);
        assert_eq!(kind(13), io::ErrorKind::PermissionDenied);
    }

    #[test]
    fn a_bare_name_lies_in_the_working_directory() {
        assert_eq!(folder_of(Path::new("file")), Path::new("."));
        assert_eq!(folder_of(Path::new("/")), Path::new("/"));
    }
}
