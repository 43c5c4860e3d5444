//! A stage that has reached `memory_max` commits what the memory can hold, not a bit at a time.

use std::ops::ControlFlow;
use std::time::Duration;

use bytesize::ByteSize;
use faults::seed;
use parquet_sink::failpoints::{Failpoint, Failpoints};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::support::*;

/// The least there may be. Partitions have equal parts of it, also those without records.
const MEMORY_MAX: ByteSize = ByteSize::mib(16);
const PARTITIONS: u32 = 4;
const NOTES: usize = 30_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_lake_makes_no_small_commits() {
    let platform = Platform::start().await;
    platform.topic("notes", PARTITIONS).await;
    let mut config = platform.config(
        "a",
        "
apiVersion: 0.1.0
meta: { name: notes, type: parquet-sink, version: 0.1.0, topic: notes }
parquet:
  lake: lake
  destinations:
    - layer:
        name: notes
        date: at
        columns:
          - { name: at, type: timestamp }
          - { name: text, type: string }
",
    );
    config.settings.limits.memory_max = MEMORY_MAX;
    let mut random = ChaCha8Rng::seed_from_u64(seed());
    let notes: Vec<_> = (0..NOTES)
        .map(|_| {
            let mut bytes = [0_u8; 1024];
            random.fill(&mut bytes[..]);
            outgoing(
                "a",
                &format!(r#"{{"at":1,"text":"{}"}}"#, hex::encode(bytes)),
            )
        })
        .collect();
    platform.produce("notes", 0, &notes).await;
    // Long enough that the stage reads on beside each commit.
    let slow = Failpoints::new(|point| {
        if matches!(point, Failpoint::FilePut(_)) {
            std::thread::sleep(Duration::from_millis(300));
        }
        ControlFlow::Continue(())
    });
    let stage = platform.start_stage_with(config, slow);
    stage.handles(NOTES as i64).await;
    stage.stops().await.unwrap();
    let stamps = platform.stamps("a", "notes");
    let inputs: Vec<_> = stamps
        .iter()
        .map(|stamp| stamp.last_offset + 1 - stamp.first_offset)
        .collect();
    // The last one has what was left at the stop.
    let (_, full) = inputs.split_last().unwrap();
    assert!(full.len() >= 2, "{inputs:?}");
    assert!(full.iter().all(|count| 2 * count > full[0]), "{inputs:?}");
}
