//! Where a replay resumes whose client sends what it likes of the replies, so that counting records says nothing.

use crate::error::RecordingError;
use crate::market::Market;
use crate::position::Position;
use crate::step::Step;

/// How many steps the client has: up to the newest that brought a partition's last record.
pub(crate) fn steps_past(market: &Market, position: &Position) -> Result<u64, RecordingError> {
    let mut past = 0;
    for record in position.last_records() {
        past = past.max(steps_until(market, record)?);
    }
    Ok(past)
}

/// The steps up to the one that brought the record, and those after it that are the same reply again. A record of no reply counts by
/// its time.
fn steps_until(market: &Market, record: &[u8]) -> Result<u64, RecordingError> {
    let updated_ms = updated_ms(record);
    let (mut steps, mut step) = (market.steps()?, Step::default());
    let (mut read, mut past) = (0, 0);
    let mut brought: Option<Step> = None;
    let mut held = false;
    while steps.next_into(&mut step)? {
        read += 1;
        let holds = step.elements().any(|element| element.json == record);
        match &brought {
            // Once more after another state of the coin: an old reply that a cache had still. An unchanged one is not sent.
            _ if holds && !held => {
                brought = Some(step.clone());
                past = read;
            }
            Some(brought) if past + 1 == read && brought.is_same_reply(&step) => past = read,
            None if updated_ms.is_some_and(|updated_ms| step.time_ms <= updated_ms) => past = read,
            _ => {}
        }
        held = holds;
    }
    Ok(past)
}

/// The `last_updated` of a record.
fn updated_ms(record: &[u8]) -> Option<i64> {
    let object: serde_json::Value = serde_json::from_slice(record).ok()?;
    let time: jiff::Timestamp = object["last_updated"].as_str()?.parse().ok()?;
    Some(time.as_millisecond())
}
