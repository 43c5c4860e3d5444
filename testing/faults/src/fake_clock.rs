//! The clock of other processes, which a test sets.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// libfaketime, for programs with threads.
const LIBRARIES: [&str; 3] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/faketime/libfaketimeMT.so.1",
];

/// A clock that is some seconds from the real one: a jump of it is none of the time that passes.
#[derive(Debug)]
pub struct FakeClock {
    library: &'static str,
    file: PathBuf,
}

impl FakeClock {
    /// The real time at first, kept in a file of this folder; `None`, with a note in the output, without libfaketime (Debian:
    /// package libfaketime).
    ///
    /// # Panics
    /// When the file cannot be written.
    pub fn new(folder: &Path) -> Option<Self> {
        let library = LIBRARIES.into_iter().find(|path| Path::new(path).exists());
        let Some(library) = library else {
            println!("skipped: no libfaketime here");
            return None;
        };
        let clock = Self {
            library,
            file: folder.join("fake-clock"),
        };
        clock.set(0);
        Some(clock)
    }

    /// So far from the real time, in seconds.
    ///
    /// # Panics
    /// When the file cannot be written.
    pub fn set(&self, offset_secs: i64) {
        // Whole or not at all: the processes read it all the time.
        let next = self.file.with_extension("next");
        fs::write(&next, format!("{offset_secs:+}")).expect("the test's folder can be written");
        fs::rename(&next, &self.file).expect("the test's folder can be written");
    }

    /// The environment of a process with this clock.
    pub fn environment(&self) -> Vec<(String, String)> {
        [
            ("LD_PRELOAD", self.library),
            ("FAKETIME_TIMESTAMP_FILE", &self.file.to_string_lossy()),
            ("FAKETIME_NO_CACHE", "1"),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
            // Files have the times that the disk says.
            ("NO_FAKE_STAT", "1"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
    }

    /// Gives a process this clock.
    pub fn apply(&self, command: &mut Command) {
        command.envs(self.environment());
    }
}
