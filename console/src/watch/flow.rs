//! How data flows through the platform: a survey and the speed of every topic and SmartModule, taken while a page is open, and now
//! and then for the last hour.

use std::sync::Arc;
use std::time::Duration;

use connector_runtime::cluster::Cluster;
use lake::LakeUrl;
use serde::Serialize;
use survey::{Blueprint, StagePlan, Survey, Surveyor, Tables};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};

use crate::watch::hour::{Hour, SAMPLE_SECS};
use crate::watch::source::{SourceReport, SourceReports};
use crate::watch::speedometer::{Speedometer, TopicFlow};
use crate::watch::stopwatch::{ChainFlow, ChainTimes, Stopwatch};

const LOOK_INTERVAL: Duration = Duration::from_secs(1);
const SURVEY_INTERVAL: Duration = Duration::from_secs(5);
const SAMPLE_INTERVAL: Duration = Duration::from_secs(SAMPLE_SECS);

/// What the Pipeline page shows.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Flow {
    /// The stages of the blueprint; they never change.
    stages: Arc<[StagePlan]>,
    topics: Vec<TopicFlow>,
    /// `None` where the broker runs in another process, which does not report them.
    chains: Option<Vec<ChainFlow>>,
    /// `None` where the source runs in another process, which does not report it.
    pub source: Option<SourceReport>,
    /// `None` until the first survey is done.
    pub survey: Option<Arc<Survey>>,
    #[serde(skip)]
    pub hour: Arc<Hour>,
}

impl Flow {
    /// The flow before anything was looked at.
    pub(crate) fn unknown(blueprint: &Blueprint) -> Self {
        Self {
            stages: blueprint.stages.as_slice().into(),
            topics: Vec::new(),
            chains: None,
            source: None,
            survey: None,
            hour: Arc::default(),
        }
    }
}

/// Updates `shown` while it has receivers, and takes samples. Never returns.
pub(crate) async fn watch(
    cluster: Cluster,
    tables: Tables,
    blueprint: Blueprint,
    chain_times: Option<ChainTimes>,
    source: Option<SourceReports>,
    shown: watch::Sender<Flow>,
) {
    let mut stopwatch = chain_times.map(|times| Stopwatch::new(times, &blueprint.stages));
    let mut speedometer = Speedometer::new(blueprint.topics.clone());
    // Looking at a table in an object store costs money: only while somebody wants to see it.
    let url = LakeUrl::parse(&tables.lake().to_string());
    let is_near = url.is_ok_and(|url| url.folder().is_some());
    let mut surveyor = Surveyor::new(blueprint, tables);
    let mut client = None;
    let mut surveyed: Option<Instant> = None;
    let mut sampled: Option<Instant> = None;
    let mut tick = tokio::time::interval(LOOK_INTERVAL);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let is_watched = shown.receiver_count() > 0;
        let is_sample_due = sampled.is_none_or(|at| at.elapsed() >= SAMPLE_INTERVAL);
        if !is_watched && !is_sample_due {
            continue;
        }
        let may_survey = is_watched || is_near;
        let report = source.as_ref().map(|report| report());
        let looked = async {
            let client = match &mut client {
                Some(client) => client,
                None => client.insert(cluster.connect().await?),
            };
            let topics = speedometer.measure(client).await?;
            let due = surveyed.is_none_or(|at| at.elapsed() >= SURVEY_INTERVAL);
            let survey = match due && may_survey {
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
                let now_ms = cluster.clock().now_ms();
                shown.send_modify(|flow| {
                    if is_sample_due {
                        let survey = survey.as_ref().or(flow.survey.as_deref());
                        let survey = survey.filter(|_| may_survey);
                        Arc::make_mut(&mut flow.hour).take(now_ms, &topics, survey);
                        sampled = Some(Instant::now());
                    }
                    flow.source = report;
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
                shown.send_modify(|flow| {
                    flow.source = report;
                    flow.survey = Some(Arc::new(Survey::failed(&error)));
                });
            }
        }
    }
}
