//! What a process uses, as Linux tells it.

use std::fs;
use std::io;
use std::path::PathBuf;

/// Memory, processor time and open files of a process at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vitals {
    /// Memory in use, in bytes: what is resident.
    pub resident_bytes: u64,
    /// What of it is the process's own: neither its program nor files that are mapped.
    pub own_bytes: u64,
    /// Processor time so far, in milliseconds.
    pub processor_ms: u64,
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
        let ended = || io::Error::other("the process has ended");
        let bytes = |name: &str| {
            let mut lines = status.lines();
            let kib = lines.find_map(|line| line.strip_prefix(name)?.trim().strip_suffix(" kB"));
            let kib = kib.and_then(|kib| kib.trim().parse::<u64>().ok());
            kib.map(|kib| kib * 1024).ok_or_else(ended)
        };
        let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
        // The name of the program, in parentheses, may hold anything.
        let (_, fields) = stat.rsplit_once(')').ok_or_else(ended)?;
        let ticks = fields.split_ascii_whitespace().skip(11).take(2);
        let ticks: u64 = ticks.filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
        let open = fs::read_dir(format!("/proc/{process}/fd"))?.flatten();
        // One that was closed meanwhile leads nowhere.
        let open: Vec<_> = open.flat_map(|file| fs::read_link(file.path())).collect();
        let is_socket = |file: &&PathBuf| file.to_string_lossy().starts_with("socket:");
        Ok(Self {
            resident_bytes: bytes("VmRSS:")?,
            own_bytes: bytes("RssAnon:")?,
            // Linux counts in hundredths of a second.
            processor_ms: ticks * 10,
            open_files: open.len(),
            sockets: open.iter().filter(is_socket).count(),
        })
    }

    /// Memory in use in millions of bytes, as tables show it.
    pub fn resident_mb(&self) -> f64 {
        self.resident_bytes as f64 / 1e6
    }
}
