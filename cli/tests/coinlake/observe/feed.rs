//! People are told when nothing new comes, and when it does again. libfaketime sets the notifier's clock; without it (Debian:
//! package libfaketime) the tests that need it are skipped.

use faults::FakeClock;
use tempfile::TempDir;

use super::notify::Alerts;
use super::process::Running;
use super::receiver::{Message, Receiver};

fn clock() -> (TempDir, Option<FakeClock>) {
    let folder = tempfile::tempdir().unwrap();
    let clock = FakeClock::new(folder.path());
    (folder, clock)
}

fn notify(clock: &FakeClock, alerts: &Alerts, receiver: &Receiver) -> Running {
    let mut command = alerts.command(receiver, &[]);
    clock.apply(&mut command);
    Running::start(command)
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
    let (_folder, Some(clock)) = clock() else {
        return;
    };
    let alerts = Alerts::start();
    alerts.tick("bitcoin");
    let receiver = Receiver::start(vec![]);
    let notifier = notify(&clock, &alerts, &receiver);
    alerts.stored(&notifier, "coinlake-notify", "crypto-clean");

    clock.set(900);
    let told = receiver.takes(1);
    let silent = ("feed".to_owned(), false);
    assert_eq!(labels(&told), std::slice::from_ref(&silent));
    let seconds = told[0].body["data"]["silent_seconds"].as_u64().unwrap();
    assert!((890..1_100).contains(&seconds), "{seconds}");
    alerts.stored(&notifier, "coinlake-notify-silence", "crypto-clean");
    notifier.kill();

    // The next process knows what people were told.
    let notifier = notify(&clock, &alerts, &receiver);
    notifier.wait_until_ready();
    alerts.tick("bitcoin");
    clock.set(0);
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
