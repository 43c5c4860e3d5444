//! How data flows through the platform: a survey and the speed of every topic and SmartModule, taken while a page is open, and now
//! and then for the last hour.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use connector_runtime::cluster::Cluster;
use lake::LakeUrl;
use serde::Serialize;
use survey::{Blueprint, StagePlan, Survey, Surveyor, Tables};
use tokio::sync::watch;
use tokio::time::{Instant, Interval, MissedTickBehavior};

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
    /// When that was; `None` where it failed.
    #[serde(skip)]
    surveyed: Option<Instant>,
    /// When the newest sample of the hour was taken.
    #[serde(skip)]
    sampled: Option<Instant>,
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
            surveyed: None,
            sampled: None,
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
    let stopwatch = chain_times.map(|times| Stopwatch::new(times, &blueprint.stages));
    let speedometer = Speedometer::new(blueprint.topics.clone());
    let url = LakeUrl::parse(&tables.lake().to_string());
    let is_near = url.is_ok_and(|url| url.folder().is_some());
    let surveyor = Surveyor::new(blueprint, tables);
    // Apart: a lake that does not answer for minutes holds nothing else up.
    tokio::join!(
        measure(&cluster, speedometer, stopwatch, source, &shown),
        survey(&cluster, surveyor, is_near, &shown),
    );
}

/// What needs no lake.
async fn measure(
    cluster: &Cluster,
    mut speedometer: Speedometer,
    mut stopwatch: Option<Stopwatch>,
    source: Option<SourceReports>,
    shown: &watch::Sender<Flow>,
) {
    let mut client = None;
    let mut failed = false;
    let mut tick = ticks();
    loop {
        tick.tick().await;
        let sampled = shown.borrow().sampled;
        let is_sample_due = sampled.is_none_or(|at| at.elapsed() >= SAMPLE_INTERVAL);
        if shown.receiver_count() == 0 && !is_sample_due {
            continue;
        }
        let report = source.as_ref().map(|report| report());
        let measured = async {
            let client = match &mut client {
                Some(client) => client,
                None => client.insert(cluster.connect().await?),
            };
            speedometer.measure(client).await
        };
        match measured.await {
            Ok(topics) => {
                let now_ms = cluster.clock().now_ms();
                shown.send_modify(|flow| {
                    if is_sample_due {
                        let fresh = flow.survey.as_deref();
                        let fresh = fresh.filter(|_| flow.surveyed >= sampled);
                        Arc::make_mut(&mut flow.hour).take(now_ms, &topics, fresh);
                        flow.sampled = Some(Instant::now());
                    }
                    // A failure does not outlive its cause: the next survey may take minutes.
                    if mem::take(&mut failed) && flow.surveyed.is_none() {
                        flow.survey = None;
                    }
                    flow.source = report;
                    flow.topics = topics;
                    flow.chains = stopwatch.as_mut().map(Stopwatch::read);
                });
            }
            Err(error) => {
                // A client does not survive a restart of the broker.
                client = None;
                speedometer.forget();
                failed = true;
                shown.send_modify(|flow| {
                    flow.source = report;
                    for topic in &mut flow.topics {
                        topic.records_per_second = None;
                    }
                    flow.survey = Some(Arc::new(Survey::failed(&error)));
                    flow.surveyed = None;
                });
            }
        }
    }
}

/// Compares the platform with its blueprint.
async fn survey(
    cluster: &Cluster,
    mut surveyor: Surveyor,
    is_near: bool,
    shown: &watch::Sender<Flow>,
) {
    let mut client = None;
    let mut tick = ticks();
    loop {
        tick.tick().await;
        let (surveyed, sampled) = {
            let flow = shown.borrow();
            (flow.surveyed, flow.sampled)
        };
        let is_older = |than: Duration| surveyed.is_none_or(|at| at.elapsed() >= than);
        let is_due = match shown.receiver_count() {
            // One for each sample.
            0 if is_near => surveyed <= sampled,
            // Looking at a table in an object store costs money: only while somebody wants to see it.
            0 => {
                if is_older(SAMPLE_INTERVAL) {
                    shown.send_if_modified(|flow| flow.survey.take().is_some());
                }
                false
            }
            _ => is_older(SURVEY_INTERVAL),
        };
        if !is_due {
            continue;
        }
        let found = async {
            let client = match &mut client {
                Some(client) => client,
                None => client.insert(cluster.connect().await?),
            };
            surveyor.survey(client).await
        };
        let found = found.await;
        let surveyed = found.is_ok().then(Instant::now);
        if found.is_err() {
            client = None;
        }
        let found = found.unwrap_or_else(|error| Survey::failed(&error));
        shown.send_modify(|flow| {
            flow.survey = Some(Arc::new(found));
            flow.surveyed = surveyed;
        });
    }
}

fn ticks() -> Interval {
    let mut tick = tokio::time::interval(LOOK_INTERVAL);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tick
}

#[cfg(test)]
mod tests {
    use fixtures::broker::TestBroker;
    use fixtures::patience::{eventually, within};
    use lake::Lake;
    use survey::DestinationPlan;
    use tokio::net::TcpListener;
    use tokio_util::task::AbortOnDropHandle;

    use super::*;

    #[tokio::test]
    async fn a_lake_that_does_not_answer_holds_up_the_survey_alone() {
        let mut broker = TestBroker::start().await;
        broker.create_topic("t", 1).await;
        // It takes connections and says nothing.
        let store = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", store.local_addr().unwrap());
        let options = [
            ("endpoint", &*endpoint),
            ("allow_http", "true"),
            ("region", "here"),
            ("access_key_id", "key"),
            ("secret_access_key", "secret"),
        ];
        let options = options.map(|(name, value)| (name.to_owned(), value.into()));
        let lake = Lake::open_str("s3://bucket/lake", options).unwrap();
        let blueprint = Blueprint {
            topics: vec!["t".to_owned()],
            smartmodules: Vec::new(),
            stages: vec![StagePlan {
                name: "stage".to_owned(),
                input: "t".to_owned(),
                smartmodules: Vec::new(),
                destinations: vec![DestinationPlan {
                    topic: None,
                    layer: Some("raw".to_owned()),
                }],
                commit_age_max: Duration::from_mins(10),
            }],
            live_topic: None,
        };
        let (shown, _) = watch::channel(Flow {
            survey: Some(Arc::default()),
            ..Flow::unknown(&blueprint)
        });
        let watching = watch(
            broker.cluster(),
            Tables::new(lake),
            blueprint,
            None,
            None,
            shown.clone(),
        );
        let _watching = AbortOnDropHandle::new(tokio::spawn(watching));
        eventually("an old survey that nobody sees is forgotten", async || {
            shown.borrow().survey.is_none()
        })
        .await;

        let mut seen = shown.subscribe();
        for _ in 0..3 {
            within(seen.changed()).await.unwrap();
        }
        {
            let flow = seen.borrow();
            assert_eq!(flow.topics.len(), 1);
            assert!(flow.survey.is_none());
        }
        broker.restart_with(|_| {}).await;
        for is_known in [true, false] {
            let survey = |flow: &Flow| flow.survey.is_some() == is_known;
            within(seen.wait_for(survey)).await.unwrap();
        }
    }
}
