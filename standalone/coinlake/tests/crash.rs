//! The whole demo is killed at random moments and restarted on the same data directory; what it leaves must equal what
//! an uninterrupted run leaves.
//!
//! `cargo xtask crash` sets the number of kills and the seed.

#![allow(clippy::unwrap_used)] // a panic is how a test fails, in its helpers too

mod rows;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{env, thread};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

#[tokio::test]
async fn killed_at_any_moment_nothing_is_lost_or_doubled() {
    let rounds: u32 = setting("COINLAKE_CRASH_ROUNDS", 10);
    let seed: u64 = setting("COINLAKE_CRASH_SEED", 1);
    println!("{rounds} kills, seed {seed}");
    let mut random = ChaCha8Rng::seed_from_u64(seed);

    let expected = tempfile::tempdir().unwrap();
    let started = std::time::Instant::now();
    run_to_the_end(expected.path());
    let whole_run = started.elapsed();
    let want_lake = rows::lake(expected.path());
    let want_topics = rows::topics(expected.path()).await;

    let mut killed = 0;
    while killed < rounds {
        let data = tempfile::tempdir().unwrap();
        // Ten kills a run: spread so that each run has moments early, in the middle and at the end.
        for _ in 0..10.min(rounds - killed) {
            let after =
                Duration::from_secs_f64(random.random_range(0.05..0.5) * whole_run.as_secs_f64());
            let mut demo = demo(data.path()).spawn().unwrap();
            thread::sleep(after);
            kill(&mut demo);
            killed += 1;
        }
        run_to_the_end(data.path());
        rows::assert_equal("lake", &rows::lake(data.path()), &want_lake);
        rows::assert_equal("topics", &rows::topics(data.path()).await, &want_topics);
        println!("{killed} of {rounds} kills: every row is there, once");
    }
}

fn demo(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_coinlake"));
    command
        .args(["demo", "--exit", "--json", "--data"])
        .arg(data);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn run_to_the_end(data: &Path) {
    let output = demo(data).stderr(Stdio::piped()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the demo failed: {said}");
}

/// SIGKILL: no destructor runs, no buffer is flushed.
fn kill(child: &mut Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

fn setting<T: std::str::FromStr>(name: &str, default: T) -> T {
    match env::var(name) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("{name} is not a number: {text}")),
        Err(_) => default,
    }
}
