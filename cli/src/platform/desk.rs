//! Mutes and acknowledgements of alerts, in a file of the data directory. Nobody is sent the alerts of a muted coin.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, bail};
use connector_runtime::clock::Clock;
use console::{AlertDesk, DeskChange, DeskNotes, Told};
use lake::durable;
use parking_lot::Mutex;
use webhook_notifier::{NotifyStatus, Outcome};

pub(super) const DESK_FILE: &str = "alerts.json";
pub(super) const PARTIAL_DESK_FILE: &str = "alerts.json.partial";

/// The mutes and acknowledgements of the platform in this process.
pub(crate) struct Desk {
    data: PathBuf,
    clock: Clock,
    receivers: Vec<Arc<NotifyStatus>>,
    /// Held while a change is written; taken before `state`.
    writing: Mutex<()>,
    /// Never locked during I/O: each alert and each open page asks.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    notes: DeskNotes,
    /// Counts the changes.
    changes: u64,
}

impl Desk {
    /// Those of the data directory `data`, and what these receivers did.
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
            writing: Mutex::default(),
            state: Mutex::new(State { notes, changes: 0 }),
        })
    }

    /// Whether this coin is muted now.
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
        let _writing = self.writing.lock();
        let mut notes = self.notes();
        notes.take(change, self.clock.now_ms())?;
        write(&self.data, &notes)?;
        let mut state = self.state.lock();
        state.notes = notes;
        state.changes += 1;
        Ok(())
    }

    fn told(&self, alert_id: &str) -> Vec<(String, Told)> {
        let receivers = self.receivers.iter();
        let told = receivers.filter_map(|receiver| {
            let outcome = receiver.outcome(alert_id)?;
            Some((receiver.receiver().to_owned(), delivery_of(outcome)))
        });
        told.collect()
    }
}

fn delivery_of(outcome: Option<Outcome>) -> Told {
    match outcome {
        None => Told::Waiting,
        Some(Outcome::Delivered) => Told::Sent,
        Some(Outcome::Suppressed) => Told::Held,
        Some(Outcome::Muted | Outcome::CoinMuted | Outcome::Mild) => Told::Muted,
        Some(Outcome::Refused | Outcome::Stale | Outcome::Unreadable) => Told::Failed,
    }
}

/// The mutes and acknowledgements of a platform in another process on this machine, read-only.
pub(crate) struct DeskElsewhere {
    data: PathBuf,
    is_unreadable: AtomicBool,
}

impl DeskElsewhere {
    /// Those of the data directory `data`.
    pub(crate) fn of(data: &Path) -> Self {
        Self {
            data: data.to_owned(),
            is_unreadable: AtomicBool::new(false),
        }
    }
}

impl AlertDesk for DeskElsewhere {
    fn notes(&self) -> DeskNotes {
        let notes = read(&self.data);
        let was_unreadable = self.is_unreadable.swap(notes.is_err(), Ordering::Relaxed);
        if let Err(error) = &notes
            && !was_unreadable
        {
            tracing::warn!("{error:#}: mutes and acknowledgements are not shown");
        }
        notes.unwrap_or_default()
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
                "{} is damaged: restore it, or delete it, which forgets all mutes and acknowledgements",
                path.display()
            )
        }),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(DeskNotes::default()),
        Err(error) => Err(error).with_context(|| format!("{} cannot be read", path.display())),
    }
}

fn write(data: &Path, notes: &DeskNotes) -> Result<()> {
    let path = data.join(DESK_FILE);
    let text = serde_json::to_vec(notes).expect("maps and strings");
    // Renamed into place: a kill or a power cut leaves the old notes or the new ones.
    let partial = data.join(PARTIAL_DESK_FILE);
    durable::write(&partial, &text)
        .and_then(|()| durable::rename(&partial, &path))
        .with_context(|| {
            format!(
                "{} cannot be written: check its permissions, and the space on its disk",
                path.display()
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_outcome_shows_as_what_the_receiver_got() {
        let outcomes = [
            (None, Told::Waiting),
            (Some(Outcome::Delivered), Told::Sent),
            (Some(Outcome::Suppressed), Told::Held),
            (Some(Outcome::Muted), Told::Muted),
            (Some(Outcome::CoinMuted), Told::Muted),
            (Some(Outcome::Mild), Told::Muted),
            (Some(Outcome::Refused), Told::Failed),
            (Some(Outcome::Stale), Told::Failed),
            (Some(Outcome::Unreadable), Told::Failed),
        ];
        for (outcome, told) in outcomes {
            assert_eq!(delivery_of(outcome), told, "{outcome:?}");
        }
    }

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
