//! Whether a cluster answers, and where a topic's partitions end.
//!
//! A stream that waits for records looks the same whether there are none or the broker is gone. So a task asks every few
//! seconds.

use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use parking_lot::Mutex;

use super::client::Cluster;
use super::leader::Leader;
use crate::record::LogRange;

/// The pause between two questions.
const INTERVAL: Duration = Duration::from_secs(3);
/// The greatest age of the last answer: a busy cluster answers late.
const SILENCE_MAX: Duration = Duration::from_secs(15);

/// The health of a cluster, for readiness probes.
#[derive(Debug, Default)]
pub struct ClusterHealth {
    last: Mutex<LastAnswer>,
}

#[derive(Debug, Default)]
struct LastAnswer {
    at: Option<Instant>,
    error: Option<String>,
}

impl ClusterHealth {
    /// Whether the cluster answers.
    ///
    /// # Errors
    /// The reason when it does not.
    pub fn check(&self) -> Result<(), String> {
        let last = self.last.lock();
        if let Some(error) = &last.error {
            return Err(error.clone());
        }
        match last.at {
            None => Err("the cluster has not answered yet".to_owned()),
            Some(at) if at.elapsed() > SILENCE_MAX => Err(format!(
                "the cluster has not answered for {} s: check that it runs and can be reached",
                at.elapsed().as_secs()
            )),
            Some(_) => Ok(()),
        }
    }

    /// Asks the cluster again and again, until the future is dropped. `on_range` receives each partition's offsets.
    pub async fn watch(
        &self,
        cluster: &Cluster,
        topic: &str,
        partitions: &[u32],
        mut on_range: impl FnMut(u32, LogRange),
    ) {
        let mut timer = tokio::time::interval(INTERVAL);
        timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut leaders = Vec::new();
        loop {
            timer.tick().await;
            let asked = ask(cluster, topic, partitions, &mut leaders, &mut on_range).await;
            *self.last.lock() = match asked {
                Ok(()) => LastAnswer {
                    at: Some(Instant::now()),
                    error: None,
                },
                Err(error) => {
                    leaders.clear();
                    LastAnswer {
                        at: None,
                        error: Some(format!("{error:#}")),
                    }
                }
            };
        }
    }
}

/// Asks all leaders for their offsets at once. `leaders` holds the connections from one call to the next. Without partitions it only
/// connects, which shows as well that the cluster answers.
async fn ask(
    cluster: &Cluster,
    topic: &str,
    partitions: &[u32],
    leaders: &mut Vec<Leader>,
    on_range: &mut impl FnMut(u32, LogRange),
) -> anyhow::Result<()> {
    if leaders.is_empty() {
        let client = cluster.connect().await?;
        for partition in partitions {
            leaders.push(Leader::connect(&client, topic, *partition).await?);
        }
    }
    let asked = leaders.iter_mut().map(async |leader| {
        let range = leader.offsets().await?;
        anyhow::Ok((leader.partition, range))
    });
    for (partition, range) in try_join_all(asked).await? {
        on_range(partition, range);
    }
    Ok(())
}
