//! A small file system: a disk that is full, grows, or becomes read-only.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Unmounted when it is dropped.
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts one of a size such as `256k` on a folder, which is created. `None`, and said so, without the right to mount.
    ///
    /// # Panics
    /// When the folder cannot be created.
    pub fn mount(folder: &Path, size: &str) -> Option<Self> {
        fs::create_dir_all(folder).expect("the folder can be created");
        let size = format!("size={size}");
        if mount(&["-t", "tmpfs", "-o", &size, "tmpfs"], folder) {
            return Some(Self(folder.to_owned()));
        }
        println!("skipped: no small disk can be mounted here");
        None
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Leaves no byte free.
    ///
    /// # Panics
    /// When writing fails for another reason than that.
    pub fn fill(&self) {
        let mut filler = File::create(self.0.join("filler")).expect("an empty file fits");
        let error = loop {
            if let Err(error) = filler.write_all(&[1; 4096]) {
                break error;
            }
        };
        assert_eq!(error.kind(), ErrorKind::StorageFull);
    }

    /// Changes an option, such as `size=40m` or `ro`.
    ///
    /// # Panics
    /// When that fails.
    pub fn remount(&self, option: &str) {
        assert!(mount(&["-o", &format!("remount,{option}")], &self.0));
    }
}

fn mount(arguments: &[&str], folder: &Path) -> bool {
    let mounted = Command::new("mount").args(arguments).arg(folder).output();
    mounted.is_ok_and(|output| output.status.success())
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).output();
    }
}
