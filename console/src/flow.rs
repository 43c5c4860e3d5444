//! How the platform is doing, looked at from time to time while somebody watches: how fast each topic grows, and what a
//! survey finds.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use connector_runtime::cluster::{Client, Cluster};
use connector_runtime::reader::Probe;
use connector_runtime::topic;
use lake::Lake;
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::Instant;

use survey::{Blueprint, StagePlan, Survey, Surveyor};

/// The work of a chain of SmartModules since the broker started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ChainTime {
    /// Records that went in.
    pub records: u64,
    /// How long the engine was busy with them.
    pub busy: Duration,
}

/// The work of the chain of these SmartModules; `None` before it has run.
pub type ChainTimes = Box<dyn Fn(&[String]) -> Option<ChainTime> + Send + Sync>;

const LOOK_INTERVAL: Duration = Duration::from_secs(1);
const SURVEY_INTERVAL: Duration = Duration::from_secs(5);
/// Rates are means over so long.
const RATE_SPAN: Duration = Duration::from_secs(5);

/// What the Pipeline page shows.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Flow {
    /// What there should be; never changes.
    pub stages: Arc<[StageShape]>,
    pub topics: Vec<TopicFlow>,
    /// `None` where the broker does not tell.
    pub chains: Option<Vec<ChainFlow>>,
    /// `None` until the first one is done.
    pub survey: Option<Arc<Survey>>,
}

/// A stage, as it is drawn.
#[derive(Debug, Serialize)]
pub(crate) struct StageShape {
    name: String,
    input: String,
    smartmodules: Vec<String>,
    destinations: Vec<DestinationShape>,
}

#[derive(Debug, Serialize)]
struct DestinationShape {
    topic: Option<String>,
    layer: Option<String>,
}

/// A topic, growing.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct TopicFlow {
    name: String,
    /// Records there have ever been.
    end: i64,
    records_per_second: f64,
}

/// The SmartModules of a stage, at work.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ChainFlow {
    stage: String,
    /// How long they work on a record; `None` before the first.
    seconds_per_record: Option<f64>,
}

impl From<&StagePlan> for StageShape {
    fn from(plan: &StagePlan) -> Self {
        let destinations = plan.destinations.iter();
        Self {
            name: plan.name.clone(),
            input: plan.input.clone(),
            smartmodules: plan.smartmodules.clone(),
            destinations: destinations
                .map(|destination| DestinationShape {
                    topic: destination.topic.clone(),
                    layer: destination.layer.clone(),
                })
                .collect(),
        }
    }
}

/// The first thing to show.
pub(crate) fn unknown(blueprint: &Blueprint) -> Flow {
    Flow {
        stages: blueprint.stages.iter().map(StageShape::from).collect(),
        topics: Vec::new(),
        chains: None,
        survey: None,
    }
}

/// Looks again and again, while there is somebody to show it to, and never returns.
pub(crate) async fn watch(
    cluster: Cluster,
    lake: Lake,
    blueprint: Blueprint,
    chain_times: Option<ChainTimes>,
    shown: watch::Sender<Flow>,
) {
    let mut stopwatch = chain_times.map(|times| Stopwatch::new(times, &blueprint.stages));
    let mut speeds = Speedometer::new(blueprint.topics.clone());
    let mut surveyor = Surveyor::new(blueprint, lake);
    let mut client = None;
    let mut surveyed: Option<Instant> = None;
    let mut tick = tokio::time::interval(LOOK_INTERVAL);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        if shown.receiver_count() == 0 {
            continue;
        }
        let looked = async {
            let client = match &mut client {
                Some(client) => client,
                None => client.insert(cluster.connect().await?),
            };
            let topics = speeds.measure(client).await?;
            let due = surveyed.is_none_or(|at| at.elapsed() >= SURVEY_INTERVAL);
            let survey = match due {
                true => Some(surveyor.survey(client).await?),
                false => None,
            };
            anyhow::Ok((topics, survey))
        };
        match looked.await {
            Ok((topics, survey)) => {
                if survey.is_some() {
                    surveyed = Some(Instant::now());
                }
                shown.send_modify(|flow| {
                    flow.topics = topics;
                    flow.chains = stopwatch.as_mut().map(Stopwatch::read);
                    flow.survey = survey.map(Arc::new).or(flow.survey.take());
                });
            }
            Err(error) => {
                // A client does not survive a restart of the broker.
                client = None;
                surveyed = None;
                speeds.forget();
                shown.send_modify(|flow| flow.survey = Some(Arc::new(Survey::failed(&error))));
            }
        }
    }
}

/// Measures how long SmartModules work on a record.
struct Stopwatch {
    times: ChainTimes,
    stages: Vec<(String, Vec<String>, Pace)>,
}

/// What a chain had done lately, from nothing on.
#[derive(Debug, Default)]
struct Pace {
    seen: VecDeque<(Instant, ChainTime)>,
    /// The last that was measured: a chain with nothing to do has no other.
    seconds_per_record: Option<f64>,
}

impl Stopwatch {
    fn new(times: ChainTimes, stages: &[StagePlan]) -> Self {
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

    fn read(&mut self) -> Vec<ChainFlow> {
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
    /// Seconds a record, now that the chain has done so much in all.
    fn at(&mut self, now: Instant, done: ChainTime) -> Option<f64> {
        trim(&mut self.seen, now);
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

/// Forgets what is older than rates reach back, but for the last.
fn trim<T>(seen: &mut VecDeque<(Instant, T)>, now: Instant) {
    while seen.len() > 1 && seen.front().is_some_and(|(at, _)| now - *at > RATE_SPAN) {
        seen.pop_front();
    }
}

/// Measures how fast topics grow.
struct Speedometer {
    topics: Vec<(String, Vec<Probe>, Speed)>,
}

/// Where a topic ended lately.
#[derive(Debug, Default)]
struct Speed(VecDeque<(Instant, i64)>);

impl Speedometer {
    fn new(topics: Vec<String>) -> Self {
        let topics = topics
            .into_iter()
            .map(|name| (name, Vec::new(), Speed::default()))
            .collect();
        Self { topics }
    }

    async fn measure(&mut self, client: &Client) -> Result<Vec<TopicFlow>> {
        let mut flows = Vec::new();
        for (name, probes, speed) in &mut self.topics {
            if probes.is_empty() {
                // One that is missing is among the survey's problems.
                let Ok(partitions) = topic::partition_count(client, name).await else {
                    continue;
                };
                for partition in 0..partitions {
                    probes.push(Probe::open(client, name, partition).await?);
                }
            }
            let mut end = 0;
            for probe in probes.iter() {
                end += probe.offsets().await?.end;
            }
            flows.push(TopicFlow {
                name: name.clone(),
                end,
                records_per_second: speed.at(Instant::now(), end),
            });
        }
        Ok(flows)
    }

    /// Connections are gone.
    fn forget(&mut self) {
        for (_, probes, speed) in &mut self.topics {
            probes.clear();
            speed.0.clear();
        }
    }
}

impl Speed {
    /// Records a second, now that the topic ends there.
    fn at(&mut self, now: Instant, end: i64) -> f64 {
        trim(&mut self.0, now);
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
    use super::*;

    #[test]
    fn a_speed_is_that_of_the_last_seconds() {
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

    #[test]
    fn a_pace_is_that_of_the_last_records() {
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
            "of the newest thousand"
        );
        for second in 11..30 {
            pace.at(at(second), done(3_000, 6_000));
        }
        let idle = pace.at(at(30), done(3_000, 6_000));
        assert_eq!(idle, Some(3e-6), "nothing to do, nothing new");
    }
}
