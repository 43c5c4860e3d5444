//! The last hour: how fast topics grew and how far stages lagged, for as long as the console runs.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::ser::{Serialize, SerializeStruct, Serializer};
use survey::Survey;

use crate::watch::speedometer::TopicFlow;

pub(super) const SAMPLE_SECS: u64 = 30;
const SAMPLES_MAX: usize = 3_600 / SAMPLE_SECS as usize;
/// A sample that comes later than this after the last one follows a gap.
const GAP_MS: i64 = 4 * SAMPLE_SECS as i64 * 1_000;

/// Samples of the last hour, oldest first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hour(VecDeque<Sample>);

#[derive(Debug, Clone)]
struct Sample {
    at_ms: i64,
    /// By topic, where it ended.
    ends: BTreeMap<String, i64>,
    /// By stage, input records that are not in the lake yet; `None` where the lake was not asked.
    lags: Option<BTreeMap<String, i64>>,
}

impl Hour {
    pub(super) fn take(&mut self, at_ms: i64, topics: &[TopicFlow], survey: Option<&Survey>) {
        if self.0.len() == SAMPLES_MAX {
            self.0.pop_front();
        }
        let ends = topics.iter().map(|topic| (topic.name.clone(), topic.end));
        let lags = survey.map(|survey| {
            let mut lags = BTreeMap::new();
            for stage in &survey.stages {
                *lags.entry(stage.name.clone()).or_default() += stage.lag;
            }
            lags
        });
        self.0.push_back(Sample {
            at_ms,
            ends: ends.collect(),
            lags,
        });
    }

    /// When the newest sample was taken, in milliseconds since the epoch.
    pub(crate) fn newest_ms(&self) -> Option<i64> {
        self.0.back().map(|sample| sample.at_ms)
    }

    /// By topic, records per second from the sample before to each one; `None` where nothing is known.
    fn rates(&self) -> BTreeMap<&str, Vec<Option<f64>>> {
        let topics = self.0.iter().flat_map(|sample| sample.ends.keys());
        let names: BTreeSet<&str> = topics.map(String::as_str).collect();
        let rate = |name: &str, place: usize| {
            let (before, now) = (self.0.get(place.checked_sub(1)?)?, self.0.get(place)?);
            let millis = now.at_ms - before.at_ms;
            let records = now.ends.get(name)? - before.ends.get(name)?;
            (0 < millis && millis <= GAP_MS && records >= 0)
                .then(|| records as f64 * 1_000.0 / millis as f64)
        };
        let rates = |name| (0..self.0.len()).map(|place| rate(name, place)).collect();
        names.into_iter().map(|name| (name, rates(name))).collect()
    }

    /// By stage, its lag at each sample.
    fn lags(&self) -> BTreeMap<&str, Vec<Option<i64>>> {
        let stages = self
            .0
            .iter()
            .flat_map(|sample| sample.lags.iter().flatten());
        let names: BTreeSet<&str> = stages.map(|(name, _)| name.as_str()).collect();
        let lag = |name: &str, sample: &Sample| sample.lags.as_ref()?.get(name).copied();
        let lags = |name| self.0.iter().map(|sample| lag(name, sample)).collect();
        names.into_iter().map(|name| (name, lags(name))).collect()
    }
}

impl Serialize for Hour {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let at_ms: Vec<i64> = self.0.iter().map(|sample| sample.at_ms).collect();
        let mut hour = serializer.serialize_struct("Hour", 3)?;
        hour.serialize_field("at_ms", &at_ms)?;
        hour.serialize_field("rates", &self.rates())?;
        hour.serialize_field("lags", &self.lags())?;
        hour.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(end: i64) -> [TopicFlow; 1] {
        [TopicFlow {
            name: "crypto-raw".to_owned(),
            end,
            records_per_second: None,
        }]
    }

    #[test]
    fn an_hour_is_bounded_and_says_nothing_of_gaps() {
        let mut hour = Hour::default();
        let step = SAMPLE_SECS as i64 * 1_000;
        hour.take(0, &topic(0), None);
        hour.take(step, &topic(300), Some(&Survey::default()));
        hour.take(2 * step, &topic(300), None);
        hour.take(20 * step, &topic(900), None);
        // Made anew.
        hour.take(21 * step, &topic(0), None);
        let rates = &hour.rates()["crypto-raw"];
        assert_eq!(rates[..], [None, Some(10.0), Some(0.0), None, None]);
        assert!(hour.lags().is_empty());
        for sample in 0..1_000 {
            hour.take(sample * step, &topic(sample), None);
        }
        assert_eq!(hour.0.len(), SAMPLES_MAX);
        assert_eq!(hour.newest_ms(), Some(999 * step));
    }
}
