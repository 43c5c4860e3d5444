//! Whether a cluster still answers, and where a topic's partitions end.
//!
//! A stream that waits for records looks the same whether there are none or nobody is there any more. So whoever wants
//! to say "ready", or how far behind it is, asks every few seconds.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::cluster::client::Cluster;
use crate::cluster::leader::{Spu, SpuError};
use crate::record::LogRange;

/// How often it is asked.
const INTERVAL: Duration = Duration::from_secs(3);
/// How old the last answer may be: an answer takes its time while the cluster is busy.
const SILENCE_MAX: Duration = Duration::from_secs(15);

/// What the last questions brought.
#[derive(Debug, Default)]
pub struct ClusterHealth {
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    last_answer: Option<Instant>,
    trouble: Option<String>,
}

impl ClusterHealth {
    /// Whether the cluster answers; else why not.
    pub fn check(&self) -> Result<(), String> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(trouble) = &seen.trouble {
            return Err(trouble.clone());
        }
        match seen.last_answer {
            None => Err("the cluster has not answered yet".to_owned()),
            Some(at) if at.elapsed() > SILENCE_MAX => Err(format!(
                "the cluster has not answered for {} s",
                at.elapsed().as_secs()
            )),
            Some(_) => Ok(()),
        }
    }

    /// Asks until it is dropped; `seen` gets what each partition holds.
    pub async fn watch(
        &self,
        cluster: &Cluster,
        topic: &str,
        partitions: &[u32],
        mut seen: impl FnMut(u32, LogRange),
    ) {
        let mut timer = tokio::time::interval(INTERVAL);
        timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut leaders = Vec::new();
        loop {
            timer.tick().await;
            match ask(cluster, topic, partitions, &mut leaders, &mut seen).await {
                Ok(()) => self.set(Seen {
                    last_answer: Some(Instant::now()),
                    trouble: None,
                }),
                Err(trouble) => {
                    leaders.clear();
                    self.set(Seen {
                        last_answer: None,
                        trouble: Some(trouble),
                    });
                }
            }
        }
    }

    fn set(&self, seen: Seen) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = seen;
    }
}

/// Connections are kept from one time to the next in `leaders`.
async fn ask(
    cluster: &Cluster,
    topic: &str,
    partitions: &[u32],
    leaders: &mut Vec<Spu>,
    seen: &mut impl FnMut(u32, LogRange),
) -> Result<(), String> {
    if leaders.is_empty() {
        let client = cluster.connect().await.map_err(|err| err.to_string())?;
        for partition in partitions {
            leaders.push(
                Spu::connect(&client, topic, *partition)
                    .await
                    .map_err(phrase)?,
            );
        }
    }
    for leader in leaders {
        seen(leader.partition, leader.offsets().await.map_err(phrase)?);
    }
    Ok(())
}

fn phrase(error: SpuError) -> String {
    error.to_string()
}
