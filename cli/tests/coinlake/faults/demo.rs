//! The whole demo is killed at random moments and restarted on the same data directory.

use std::process::Child;
use std::thread;
use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Left, demo_command, golden, run_to_the_end};

#[tokio::test]
async fn the_demo_is_killed_at_any_moment() {
    let rounds = faults::times(10, 200);
    let mut random = ChaCha8Rng::seed_from_u64(faults::seed());
    let (golden, whole_run) = golden().await;

    let mut killed = 0;
    while killed < rounds {
        let data = tempfile::tempdir().unwrap();
        // Ten kills a run: spread so that each run has moments early, in the middle and at the end.
        for _ in 0..10.min(rounds - killed) {
            let after =
                Duration::from_secs_f64(random.random_range(0.05..0.5) * whole_run.as_secs_f64());
            let mut demo = demo_command(data.path()).spawn().unwrap();
            thread::sleep(after);
            kill(&mut demo);
            killed += 1;
        }
        run_to_the_end(data.path());
        Left::behind(data.path()).await.assert_equals(golden);
        println!("the demo, {killed} of {rounds} kills: every row is there, once");
    }
}

/// SIGKILL: no destructor runs, no buffer is flushed.
fn kill(child: &mut Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}
