//! Measures how fast topics grow.

use std::collections::VecDeque;

use anyhow::Result;
use connector_runtime::cluster::Client;
use connector_runtime::reader::OffsetProbe;
use connector_runtime::topic;
use serde::Serialize;
use tokio::time::Instant;

use crate::watch::window::forget_old;

/// A topic and its rate of growth.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct TopicFlow {
    pub(super) name: String,
    /// Records ever written, all partitions together.
    pub(super) end: i64,
    /// `None` while the broker does not answer.
    pub(super) records_per_second: Option<f64>,
}

pub(crate) struct Speedometer {
    topics: Vec<(String, Vec<OffsetProbe>, Speed)>,
}

/// Where a topic ended within the last seconds.
#[derive(Debug, Default)]
struct Speed(VecDeque<(Instant, i64)>);

impl Speedometer {
    pub(crate) fn new(topics: Vec<String>) -> Self {
        let topics = topics
            .into_iter()
            .map(|name| (name, Vec::new(), Speed::default()))
            .collect();
        Self { topics }
    }

    /// The topics that exist, now.
    pub(crate) async fn measure(&mut self, client: &Client) -> Result<Vec<TopicFlow>> {
        let mut flows = Vec::new();
        for (name, probes, speed) in &mut self.topics {
            if probes.is_empty() {
                // The survey reports a missing topic.
                let Ok(partitions) = topic::partition_count(client, name).await else {
                    continue;
                };
                for partition in 0..partitions {
                    probes.push(OffsetProbe::open(client, name, partition).await?);
                }
            }
            let mut end = 0;
            for probe in probes.iter_mut() {
                end += probe.offsets().await?.end;
            }
            flows.push(TopicFlow {
                name: name.clone(),
                end,
                records_per_second: Some(speed.at(Instant::now(), end)),
            });
        }
        Ok(flows)
    }

    /// Starts over, with new connections.
    pub(crate) fn forget(&mut self) {
        for (_, probes, speed) in &mut self.topics {
            probes.clear();
            speed.0.clear();
        }
    }
}

impl Speed {
    /// Records per second, given that the topic ends at `end` now.
    fn at(&mut self, now: Instant, end: i64) -> f64 {
        forget_old(&mut self.0, now);
        self.0.push_back((now, end));
        match self.0.front() {
            Some((at, first)) if now > *at => {
                (end - first).max(0) as f64 / (now - *at).as_secs_f64()
            }
            _ => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_speed_is_the_mean_of_the_last_seconds() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut speed = Speed::default();
        assert_eq!(speed.at(at(0), 1_000), 0.0);
        assert_eq!(speed.at(at(1), 1_100), 100.0);
        for second in 2..20 {
            speed.at(at(second), 1_100);
        }
        assert_eq!(speed.at(at(20), 1_100), 0.0);
    }
}
