//! What people do about alerts in the console of this platform: a file in the data directory. Muted coins are silent at the receivers,
//! too.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use connector_runtime::clock::Clock;
use console::{AlertDesk, DeskChange, DeskNotes, Told};
use lake::durable;
use parking_lot::Mutex;
use webhook_notifier::{NotifyStatus, Outcome};

pub(super) const DESK_FILE: &str = "alerts.json";
pub(super) const PARTIAL_DESK_FILE: &str = "alerts.json.partial";

/// The desk of a platform that runs in this process.
pub(crate) struct Desk {
    data: PathBuf,
    clock: Clock,
    receivers: Vec<Arc<NotifyStatus>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    notes: DeskNotes,
    changes: u64,
}

impl Desk {
    /// The desk of the data directory `data`, and of these receivers.
    ///
    /// # Errors
    /// When its file is there and cannot be read.
    pub(crate) fn open(
        data: &Path,
        clock: Clock,
        receivers: Vec<Arc<NotifyStatus>>,
    ) -> Result<Self> {
        let notes = read(data)?;
        Ok(Self {
            data: data.to_owned(),
            clock,
            receivers,
            state: Mutex::new(State { notes, changes: 0 }),
        })
    }

    /// Whether nobody is told of a coin now.
    pub(crate) fn is_muted(&self, coin: &str) -> bool {
        self.state.lock().notes.is_muted(coin, self.clock.now_ms())
    }
}

impl AlertDesk for Desk {
    fn notes(&self) -> DeskNotes {
        self.state.lock().notes.clone()
    }

    fn version(&self) -> u64 {
        let told: u64 = self
            .receivers
            .iter()
            .map(|receiver| receiver.changes())
            .sum();
        self.state.lock().changes + told
    }

    fn is_writable(&self) -> bool {
        true
    }

    fn change(&self, change: DeskChange) -> Result<()> {
        let mut state = self.state.lock();
        let mut notes = state.notes.clone();
        notes.take(change, self.clock.now_ms())?;
        write(&self.data, &notes)?;
        state.notes = notes;
        state.changes += 1;
        Ok(())
    }

    fn told(&self, alert_id: &str) -> Vec<(String, Told)> {
        let receivers = self.receivers.iter();
        let told = receivers.filter_map(|receiver| {
            let outcome = receiver.outcome(alert_id)?;
            Some((receiver.receiver().to_owned(), told(outcome)))
        });
        told.collect()
    }
}

fn told(outcome: Option<Outcome>) -> Told {
    match outcome {
        None => Told::Waiting,
        Some(Outcome::Delivered) => Told::Sent,
        Some(Outcome::Suppressed) => Told::Held,
        Some(Outcome::Muted | Outcome::CoinMuted | Outcome::Mild) => Told::Muted,
        Some(Outcome::Refused | Outcome::Stale | Outcome::Unreadable) => Told::Failed,
    }
}

/// The desk of a platform that runs in another process on this machine: it shows, and changes nothing.
pub(crate) struct DeskElsewhere {
    data: PathBuf,
}

impl DeskElsewhere {
    /// The desk of the data directory `data`.
    pub(crate) fn of(data: &Path) -> Self {
        Self {
            data: data.to_owned(),
        }
    }
}

impl AlertDesk for DeskElsewhere {
    fn notes(&self) -> DeskNotes {
        // A file that cannot be read is its owner's to report.
        read(&self.data).unwrap_or_default()
    }

    fn version(&self) -> u64 {
        let changed = fs::metadata(self.data.join(DESK_FILE)).and_then(|file| file.modified());
        let since = changed
            .ok()
            .and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
        since.map_or(0, |since| {
            u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
        })
    }

    fn is_writable(&self) -> bool {
        false
    }

    fn change(&self, _: DeskChange) -> Result<()> {
        bail!("this console is read-only")
    }

    fn told(&self, _: &str) -> Vec<(String, Told)> {
        Vec::new()
    }
}

fn read(data: &Path) -> Result<DeskNotes> {
    let path = data.join(DESK_FILE);
    match fs::read(&path) {
        Ok(text) => serde_json::from_slice(&text).with_context(|| {
            format!(
                "{} is damaged: restore it, or delete it, which unmutes all coins",
                path.display()
            )
        }),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(DeskNotes::default()),
        Err(error) => Err(error).with_context(|| format!("{} cannot be read", path.display())),
    }
}

fn write(data: &Path, notes: &DeskNotes) -> Result<()> {
    let path = data.join(DESK_FILE);
    let text = serde_json::to_vec(notes).context("the notes cannot be written as JSON")?;
    // Renamed into place: a kill or a power cut leaves the old notes or the new ones.
    let partial = data.join(PARTIAL_DESK_FILE);
    durable::write(&partial, &text)
        .and_then(|()| durable::rename(&partial, &path))
        .with_context(|| {
            format!(
                "{} cannot be written: is there space on the disk?",
                path.display()
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mute_outlives_the_process_and_shows_elsewhere() {
        let data = tempfile::tempdir().unwrap();
        let open = || Desk::open(data.path(), Clock::of_process().unwrap(), Vec::new());
        let desk = open().unwrap();
        let mute = || DeskChange::Mute {
            coin: "bitcoin".to_owned(),
            minutes: 60,
        };
        let (before, elsewhere) = (desk.version(), DeskElsewhere::of(data.path()));
        assert_eq!(elsewhere.notes(), DeskNotes::default());
        desk.change(mute()).unwrap();
        assert!(desk.version() > before);
        assert!(open().unwrap().is_muted("bitcoin") && !desk.is_muted("solana"));
        assert_eq!(elsewhere.notes(), desk.notes());
        assert!(elsewhere.change(mute()).is_err());
        fs::write(data.path().join(DESK_FILE), "{").unwrap();
        let error = open().err().unwrap();
        assert!(
            error.to_string().contains("alerts.json is damaged"),
            "{error}"
        );
    }
}
