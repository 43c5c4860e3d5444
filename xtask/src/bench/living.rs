//! What living with the platform takes: `up` that polls ten coins once a minute, and a replay at the market's own speed.

use anyhow::Result;

use super::setup::{Setup, figure};
use super::table::{Line, Target};
use crate::faults;

/// How long is looked at, once everything has settled.
const MINUTES: &str = "10";

pub(super) fn measure(setup: &Setup) -> Result<Vec<Line>> {
    let figures = setup.figures("living", || {
        faults::test_at_length(
            "living::",
            &[("COINLAKE_LIVING_MINUTES", MINUTES.to_owned())],
        )
    })?;
    let share = |of: &str| figure(&figures[of], "core_share");
    let (up, replay) = (share("up")?, share("replay")?);
    let resident = figure(&figures["up"], "resident_mb")?;
    let own = figure(&figures["up"], "own_mb")?;
    let of_core = |what: &str, share: f64, allowed: f64| Line {
        what: what.to_owned(),
        ours: format!("{:.2} % of a core", share * 100.0),
        peer: format!("{} % allowed", allowed * 100.0),
        ratio: share / allowed,
        target: Target::AtMost(1.0),
    };
    Ok(vec![
        of_core("up, ten coins a minute, no page open", up, 0.005),
        of_core("a replay at --speed 1", replay, 0.02),
        Line {
            what: "up, ten coins a minute: memory".to_owned(),
            ours: format!("{resident:.0} MB, {own:.0} MB of it its own"),
            peer: "60 MB allowed".to_owned(),
            ratio: resident / 60.0,
            target: Target::AtMost(1.0),
        },
    ])
}
