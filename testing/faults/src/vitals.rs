//! What a process uses, as Linux tells it.

use std::fs;
use std::io;
use std::path::PathBuf;

/// Memory and open files of a process at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vitals {
    /// Memory in use, in bytes: what is resident.
    pub resident_bytes: u64,
    /// Open files, sockets among them.
    pub open_files: usize,
    /// Open sockets.
    pub sockets: usize,
}

impl Vitals {
    /// Those of the process with this id.
    ///
    /// # Errors
    /// When it is not there, or belongs to somebody else.
    pub fn of(process: u32) -> io::Result<Self> {
        let status = fs::read_to_string(format!("/proc/{process}/status"))?;
        let kib = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"))
            .and_then(|kib| kib.trim().parse::<u64>().ok())
            .ok_or_else(|| io::Error::other("the process has ended"))?;
        let open = fs::read_dir(format!("/proc/{process}/fd"))?.flatten();
        // One that was closed meanwhile leads nowhere.
        let open: Vec<_> = open.flat_map(|file| fs::read_link(file.path())).collect();
        let is_socket = |file: &&PathBuf| file.to_string_lossy().starts_with("socket:");
        Ok(Self {
            resident_bytes: kib * 1024,
            open_files: open.len(),
            sockets: open.iter().filter(is_socket).count(),
        })
    }

    /// Memory in use in millions of bytes, as tables show it.
    pub fn resident_mb(&self) -> f64 {
        self.resident_bytes as f64 / 1e6
    }
}
