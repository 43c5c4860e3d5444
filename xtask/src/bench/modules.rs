//! The SmartModules in Fluvio's engine, beside a module that does nothing.

use anyhow::Result;

use super::setup::Setup;
use super::table::{Line, Target};

pub(super) fn measure(setup: &Setup) -> Result<Vec<Line>> {
    let (ours, nothing) = setup.throughput()?.records_per_second("crypto-features")?;
    Ok(vec![Line {
        what: "crypto-features in the engine, one core".to_owned(),
        ours: format!("{ours:.0} records/s"),
        peer: format!("doing nothing: {nothing:.0} records/s"),
        ratio: ours / nothing,
        target: Target::AtLeast(1.0),
    }])
}
