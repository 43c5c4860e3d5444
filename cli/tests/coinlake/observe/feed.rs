//! People are told when nothing new comes, and when it does again. libfaketime sets the notifier's clock; without it (Debian:
//! package libfaketime) the tests that need it are skipped.

use std::time::Duration;

use faults::FakeClock;
use fixtures::patience::PATIENCE;
use tempfile::TempDir;

use super::notify::Alerts;
use super::process::Running;
use super::receiver::{Message, Receiver};

const HOURS_ASLEEP: i64 = 8;

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

/// The messages taken once there are that many. The notifier's clock runs 20 times as fast meanwhile: between two of its looks
/// is less time than makes a sleep.
fn takes_soon(
    clock: &FakeClock,
    receiver: &Receiver,
    offset_secs: i64,
    count: usize,
) -> Vec<Message> {
    for second in 0..PATIENCE.as_secs().cast_signed() {
        let mut taken = receiver.messages();
        taken.retain(|message| message.taken);
        if taken.len() >= count {
            return taken;
        }
        std::thread::sleep(Duration::from_secs(1));
        clock.set(offset_secs + 20 * second);
    }
    panic!("{count} messages are not taken: {:?}", receiver.messages());
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

    // Eight hours asleep are no silence: it begins with the ten minutes after them.
    let told = takes_soon(&clock, &receiver, HOURS_ASLEEP * 3_600, 1);
    let silent = ("feed".to_owned(), false);
    assert_eq!(labels(&told), std::slice::from_ref(&silent));
    let seconds = told[0].body["data"]["silent_seconds"].as_u64().unwrap();
    let after = seconds - HOURS_ASLEEP.unsigned_abs() * 3_600;
    assert!((600..1_100).contains(&after), "{after}");
    alerts.stored(&notifier, "coinlake-notify.silence", "crypto-clean");
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
fn the_end_of_a_silence_is_told_once_whichever_partition_had_ticks() {
    let (_folder, Some(clock)) = clock() else {
        return;
    };
    let alerts = Alerts::with_partitions(2);
    alerts.tick_in(1, "bitcoin");
    let receiver = Receiver::start(vec![]);
    let notifier = notify(&clock, &alerts, &receiver);
    alerts.stored_in(1, &notifier, "coinlake-notify", "crypto-clean");
    takes_soon(&clock, &receiver, 0, 1);
    alerts.stored_in(1, &notifier, "coinlake-notify.silence", "crypto-clean");
    // What comes again is of another partition.
    alerts.tick_in(0, "ethereum");
    clock.set(0);
    receiver.takes(2);
    alerts.stored(&notifier, "coinlake-notify", "crypto-clean");
    notifier.kill();

    let notifier = notify(&clock, &alerts, &receiver);
    let told = takes_soon(&clock, &receiver, 0, 3);
    let ok: Vec<bool> = labels(&told).into_iter().map(|(_, ok)| ok).collect();
    assert_eq!(ok, [false, true, false]);
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
