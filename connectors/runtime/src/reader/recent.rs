//! The newest records of a partition, back to a moment.

use super::error::ReadError;
use super::range::read_range;
use crate::cluster::Client;
use crate::record::Record;

/// Records read in one step.
const STEP_RECORDS: i64 = 1_000;
/// Steps back at most: what is wanted is recent, and held in memory.
const STEPS_MAX: usize = 50;

/// The records before offset `end` with a timestamp from `since_ms` (milliseconds since the epoch) on, oldest first; at most
/// some 50,000. `start` is the oldest offset that the log holds.
///
/// # Errors
/// When the log does not hold offsets that it should.
pub async fn read_recent(
    client: &Client,
    topic: &str,
    partition: u32,
    start: i64,
    end: i64,
    since_ms: i64,
) -> Result<Vec<Record>, ReadError> {
    let mut steps = Vec::new();
    let mut from = end;
    for _ in 0..STEPS_MAX {
        let to = from;
        from = start.max(to - STEP_RECORDS);
        if from >= to {
            break;
        }
        let records = read_range(client, topic, partition, from..to).await?;
        let older = records.iter().any(|record| record.timestamp_ms < since_ms);
        steps.push(records);
        if older {
            break;
        }
    }
    let records = steps.into_iter().rev().flatten();
    Ok(records
        .filter(|record| record.timestamp_ms >= since_ms)
        .collect())
}
