//! Measures how long SmartModules work on a record.

use std::collections::VecDeque;
use std::time::Duration;

use serde::Serialize;
use survey::StagePlan;
use tokio::time::Instant;

use crate::watch::window::forget_old;

/// What a chain of SmartModules has done since the broker started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ChainTime {
    /// Records that went in.
    pub records: u64,
    /// How long the engine was busy with them.
    pub busy: Duration,
}

/// Looks up what the chain of these SmartModules has done; `None` before its first record.
pub type ChainTimes = Box<dyn Fn(&[String]) -> Option<ChainTime> + Send + Sync>;

/// A stage and the speed of its SmartModules.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ChainFlow {
    stage: String,
    /// `None` before the first record.
    seconds_per_record: Option<f64>,
}

pub(crate) struct Stopwatch {
    times: ChainTimes,
    stages: Vec<(String, Vec<String>, Pace)>,
}

/// What a chain had done at the last readings.
#[derive(Debug, Default)]
struct Pace {
    seen: VecDeque<(Instant, ChainTime)>,
    /// The last measurement, which an idle chain keeps.
    seconds_per_record: Option<f64>,
}

impl Stopwatch {
    pub(crate) fn new(times: ChainTimes, stages: &[StagePlan]) -> Self {
        let stages = stages.iter();
        let stages = stages
            .filter(|stage| !stage.smartmodules.is_empty())
            .map(|stage| {
                let (name, smartmodules) = (stage.name.clone(), stage.smartmodules.clone());
                (name, smartmodules, Pace::default())
            })
            .collect();
        Self { times, stages }
    }

    /// The stages that have SmartModules, now.
    pub(crate) fn read(&mut self) -> Vec<ChainFlow> {
        let stages = self.stages.iter_mut();
        stages
            .map(|(stage, smartmodules, pace)| ChainFlow {
                stage: stage.clone(),
                seconds_per_record: (self.times)(smartmodules)
                    .and_then(|time| pace.at(Instant::now(), time)),
            })
            .collect()
    }
}

impl Pace {
    /// Seconds per record, given everything the chain has `done` until now.
    fn at(&mut self, now: Instant, done: ChainTime) -> Option<f64> {
        forget_old(&mut self.seen, now);
        let before = self
            .seen
            .front()
            .map_or(ChainTime::default(), |seen| seen.1);
        self.seen.push_back((now, done));
        if let Some(records) = done.records.checked_sub(before.records).filter(|n| *n > 0) {
            let busy = done.busy.saturating_sub(before.busy);
            self.seconds_per_record = Some(busy.as_secs_f64() / records as f64);
        }
        self.seconds_per_record
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_is_the_mean_over_the_newest_records() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let done = |records, micros| ChainTime {
            records,
            busy: Duration::from_micros(micros),
        };
        let mut pace = Pace::default();
        assert_eq!(pace.at(at(0), done(1_000, 2_000)), Some(2e-6));
        for second in 1..10 {
            pace.at(at(second), done(2_000, 3_000));
        }
        assert_eq!(
            pace.at(at(10), done(3_000, 6_000)),
            Some(3e-6),
            "of the newest 1,000 records"
        );
        for second in 11..30 {
            pace.at(at(second), done(3_000, 6_000));
        }
        let idle = pace.at(at(30), done(3_000, 6_000));
        assert_eq!(idle, Some(3e-6), "an idle chain keeps its pace");
    }
}
