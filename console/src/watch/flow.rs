//! How data flows through the platform: a survey and the speed of every topic and SmartModule, taken while a page is open.

use std::sync::Arc;
use std::time::Duration;

use connector_runtime::cluster::Cluster;
use lake::Lake;
use serde::Serialize;
use survey::{Blueprint, StagePlan, Survey, Surveyor};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};

use crate::watch::speedometer::{Speedometer, TopicFlow};
use crate::watch::stopwatch::{ChainFlow, ChainTimes, Stopwatch};

const LOOK_INTERVAL: Duration = Duration::from_secs(1);
const SURVEY_INTERVAL: Duration = Duration::from_secs(5);

/// What the Pipeline page shows.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Flow {
    /// The stages of the blueprint; they never change.
    stages: Arc<[StagePlan]>,
    topics: Vec<TopicFlow>,
    /// `None` where the broker runs in another process, which does not report them.
    chains: Option<Vec<ChainFlow>>,
    /// `None` until the first survey is done.
    pub survey: Option<Arc<Survey>>,
}

impl Flow {
    /// The flow before anything was looked at.
    pub(crate) fn unknown(blueprint: &Blueprint) -> Self {
        Self {
            stages: blueprint.stages.as_slice().into(),
            topics: Vec::new(),
            chains: None,
            survey: None,
        }
    }
}

/// Updates `shown` while it has receivers. Never returns.
pub(crate) async fn watch(
    cluster: Cluster,
    lake: Lake,
    blueprint: Blueprint,
    chain_times: Option<ChainTimes>,
    shown: watch::Sender<Flow>,
) {
    let mut stopwatch = chain_times.map(|times| Stopwatch::new(times, &blueprint.stages));
    let mut speedometer = Speedometer::new(blueprint.topics.clone());
    let mut surveyor = Surveyor::new(blueprint, lake);
    let mut client = None;
    let mut surveyed: Option<Instant> = None;
    let mut tick = tokio::time::interval(LOOK_INTERVAL);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
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
            let topics = speedometer.measure(client).await?;
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
                speedometer.forget();
                shown.send_modify(|flow| flow.survey = Some(Arc::new(Survey::failed(&error))));
            }
        }
    }
}
