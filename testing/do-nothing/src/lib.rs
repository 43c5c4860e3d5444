//! SmartModule written with Fluvio's macro that returns its input: what the others are measured against.

#![cfg(target_arch = "wasm32")]

use fluvio_smartmodule::{RecordData, Result, SmartModuleRecord, smartmodule};

/// Answers every record with itself.
#[smartmodule(filter_map)]
pub fn filter_map(record: &SmartModuleRecord) -> Result<Option<(Option<RecordData>, RecordData)>> {
    Ok(Some((record.key.clone(), record.value.clone())))
}
