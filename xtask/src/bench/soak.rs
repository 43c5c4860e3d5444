//! A day of market at 1,000 records a second: memory at its end, against what it was after the first hour.

use anyhow::Result;

use super::setup::{Setup, figure};
use super::table::{Line, Target};
use crate::faults::{self, SoakArgs};

pub(super) fn measure(setup: &Setup) -> Result<Vec<Line>> {
    let day = SoakArgs {
        hours: 24.0,
        speed: 60.0,
    };
    let figures = setup.figures("soak", || faults::soak_test(&day))?;
    let first = figure(&figures, "after_the_first_hour_mb")?;
    let last = figure(&figures, "at_the_end_mb")?;
    let own_first = figure(&figures, "own_after_the_first_hour_mb")?;
    let own_last = figure(&figures, "own_at_the_end_mb")?;
    Ok(vec![Line {
        what: "memory over a market day at 1,000 records/s".to_owned(),
        ours: format!("{last:.0} MB at the end, {own_last:.0} MB of it its own"),
        peer: format!("{first:.0} MB after the first hour, {own_first:.0} MB its own"),
        ratio: last / first,
        target: Target::AtMost(1.05),
    }])
}
