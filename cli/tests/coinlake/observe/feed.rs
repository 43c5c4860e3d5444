//! People are told when nothing new comes, and when it does again. libfaketime sets the notifier's clock; without it (Debian:
//! package libfaketime) the tests that need it are skipped.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::notify::Alerts;
use super::process::Running;
use super::receiver::{Message, Receiver};

/// For programs with threads.
const LIBRARIES: [&str; 3] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/faketime/libfaketimeMT.so.1",
];

/// The clock of a process, which a test sets.
struct Clock {
    library: &'static str,
    file: PathBuf,
    _folder: TempDir,
}

impl Clock {
    fn new() -> Option<Self> {
        let library = LIBRARIES.into_iter().find(|path| Path::new(path).exists());
        let Some(library) = library else {
            println!("skipped: no libfaketime here");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let clock = Self {
            library,
            file: folder.path().join("clock"),
            _folder: folder,
        };
        clock.set("+0");
        Some(clock)
    }

    /// So far from the real time, in seconds.
    fn set(&self, offset: &str) {
        // Whole or not at all: the process reads it all the time.
        let next = self.file.with_extension("next");
        fs::write(&next, offset).unwrap();
        fs::rename(&next, &self.file).unwrap();
    }

    fn notifier(&self, alerts: &Alerts, receiver: &Receiver) -> Running {
        let mut command = alerts.command(receiver, &[]);
        command
            .env("LD_PRELOAD", self.library)
            .env("FAKETIME_TIMESTAMP_FILE", &self.file)
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        Running::start(command)
    }
}

fn labels(messages: &[Message]) -> Vec<(String, bool)> {
    let said = messages.iter().map(|message| {
        let body = &message.body;
        let kind = body["type"].as_str().unwrap().to_owned();
        (kind, body["data"]["ok"].as_bool().unwrap())
    });
    said.collect()
}

#[test]
fn silence_and_its_end_are_told_once_also_across_restarts() {
    let Some(clock) = Clock::new() else { return };
    let alerts = Alerts::start();
    alerts.tick("bitcoin");
    let receiver = Receiver::start(vec![]);
    let notifier = clock.notifier(&alerts, &receiver);
    alerts.stored(&notifier, "coinlake-notify", "crypto-clean");

    clock.set("+900");
    let told = receiver.takes(1);
    let silent = ("feed".to_owned(), false);
    assert_eq!(labels(&told), std::slice::from_ref(&silent));
    let seconds = told[0].body["data"]["silent_seconds"].as_u64().unwrap();
    assert!((890..1_100).contains(&seconds), "{seconds}");
    alerts.stored(&notifier, "coinlake-notify-silence", "crypto-clean");
    notifier.kill();

    // The next process knows what people were told.
    let notifier = clock.notifier(&alerts, &receiver);
    notifier.wait_until_ready();
    alerts.tick("bitcoin");
    clock.set("+0");
    let told = receiver.takes(2);
    assert_eq!(labels(&told), [silent, ("feed".to_owned(), true)]);
    notifier.interrupt();
}

#[test]
fn what_fires_before_the_first_alert_was_handled_is_told_after_a_restart() {
    let alerts = Alerts::start();
    alerts.tick("bitcoin");
    let receiver = Receiver::start(vec![]);
    let notifier = alerts.notifier(&receiver, &[]);
    alerts.stored(&notifier, "coinlake-notify", "crypto-clean");
    notifier.kill();

    let first = alerts.raise("bitcoin", "critical");
    let notifier = alerts.notifier(&receiver, &[]);
    let told = receiver.takes(1);
    assert_eq!(told[0].id(), first);
    notifier.interrupt();
}
