//! The state a cluster is brought to.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use connector_runtime::cluster::Client;
use connector_runtime::topic::{TopicSettings, ensure_topic};
use market::model::slot;
use market::names::smartmodule;
use tokio::time::MissedTickBehavior;

use super::apply::apply;
use super::bundle::Bundle;
use super::cluster_state::ClusterState;
use super::plan::Plan;

/// How long a cluster may take to show a change that it has acknowledged.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(30);
const SETTLE_POLL_INTERVAL: Duration = Duration::from_millis(50);

pub(crate) enum Goal {
    Deployed(Box<Bundle>),
    RolledBack,
    Deleted { with_data: bool },
}

impl Goal {
    /// What has to change on the cluster.
    ///
    /// # Errors
    /// When the cluster does not answer, or when the goal must not be pursued: see [`Plan`].
    pub(crate) async fn plan(&self, client: &Client) -> Result<Plan> {
        let state = ClusterState::read(client).await?;
        match self {
            Self::Deployed(bundle) => Plan::deploy(bundle, &state),
            Self::RolledBack => Plan::rollback(&state),
            Self::Deleted { with_data } => Plan::delete(&state, *with_data),
        }
    }

    /// Applies the plan and waits until the cluster shows it and every topic has its leaders.
    ///
    /// # Errors
    /// When the cluster refuses a step, or does not show the result in time.
    pub(crate) async fn reach(&self, client: &Client, plan: Plan) -> Result<()> {
        apply(client, plan).await?;
        let settled = async {
            let mut poll = tokio::time::interval(SETTLE_POLL_INTERVAL);
            poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                poll.tick().await;
                if self.plan(client).await?.changes() == 0 {
                    return anyhow::Ok(());
                }
            }
        };
        match tokio::time::timeout(SETTLE_TIMEOUT, settled).await {
            Ok(settled) => settled?,
            Err(_) => bail!(
                "the cluster acknowledged every change but does not show them after {} s: check its log, then deploy again",
                SETTLE_TIMEOUT.as_secs()
            ),
        }
        if let Self::Deployed(bundle) = self {
            for topic in &bundle.topics {
                let topic = TopicSettings {
                    partitions: topic.partition.count,
                    ..TopicSettings::named(&topic.meta.name)
                };
                ensure_topic(client, &topic).await?;
            }
        }
        Ok(())
    }
}

/// Deploys `bundle` without asking; warnings are logged.
///
/// # Errors
/// When a topic exists with another partition count (its records would change their partition), when a SmartModule is
/// too large, or when the cluster refuses a step.
pub(crate) async fn deploy(client: &Client, bundle: Bundle) -> Result<()> {
    let goal = Goal::Deployed(Box::new(bundle));
    let plan = goal.plan(client).await?;
    for warning in plan.warnings() {
        tracing::warn!("{warning}");
    }
    goal.reach(client, plan).await
}

/// The models in the cluster's crypto-predict, such as `trend_up/2`.
///
/// # Errors
/// When the cluster does not answer, or only that module can read its models: then a deployment has not replaced it.
pub(crate) async fn served_models(client: &Client) -> Result<Vec<String>> {
    let state = ClusterState::read(client).await?;
    let name = smartmodule::PREDICT;
    let wasm = state.smartmodules.get(name);
    let wasm = wasm.with_context(|| format!("SmartModule {name} is missing"))?;
    let pair = slot::read(wasm).with_context(|| format!("SmartModule {name} is not replaced"))?;
    Ok(pair.labels())
}
