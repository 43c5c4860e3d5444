//! Each process of the platform is killed at random moments, while all others go on, and started again.

use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::golden;
use super::platform::{Part, Platform};

/// So many fit into the time a run takes.
const KILLS_A_RUN: u64 = 20;

#[tokio::test(flavor = "multi_thread")]
async fn each_process_is_killed_at_any_moment() {
    let rounds = faults::times(10, 200);
    let mut random = ChaCha8Rng::seed_from_u64(faults::seed());
    let (golden, _) = golden().await;

    let mut killed = 0;
    while killed < rounds {
        let mut platform = Platform::start().await;
        for _ in 0..KILLS_A_RUN.min(rounds - killed) {
            tokio::time::sleep(Duration::from_millis(random.random_range(0..1_000))).await;
            // Each as often as the others.
            let part = Part::ALL[killed as usize % Part::ALL.len()];
            platform.kill(part);
            // Gone for a moment, or for long enough to be missed.
            tokio::time::sleep(Duration::from_millis(random.random_range(0..300))).await;
            platform.begin(part).await;
            platform.assert_running();
            killed += 1;
        }
        platform.lands(golden).await;
        assert!(platform.page().await.contains("<html"));
        let trained = platform.train();
        assert_eq!(trained["models"].as_array().unwrap().len(), 2, "{trained}");
        platform.left().await.assert_equals(golden);
        println!("the processes, {killed} of {rounds} kills: every row is there, once");
    }
}
