//! The Leases that a pod holds, and those it waits for.

use std::collections::{BTreeMap, BTreeSet};

use connector_runtime::kubernetes::{ApiError, Lease, Pod, Seen};
use tokio::time::Instant;

use crate::config::Share;

/// The Leases of one stage, as one of its pods knows them.
pub(super) struct Held {
    pod: Pod,
    /// The partitions of the stage.
    all: Vec<u32>,
    /// Those that are this pod's by the number of pods.
    wanted: BTreeSet<u32>,
    held: BTreeMap<u32, Lease>,
    seen: BTreeMap<u32, Seen>,
}

impl Held {
    pub(super) fn new(pod: Pod, all: Vec<u32>) -> Self {
        Self {
            pod,
            all,
            wanted: BTreeSet::new(),
            held: BTreeMap::new(),
            seen: BTreeMap::new(),
        }
    }

    /// The partitions to work on.
    pub(super) fn partitions(&self) -> Vec<u32> {
        let held = self.held.keys().copied();
        held.filter(|partition| self.wanted.contains(partition))
            .collect()
    }

    /// Renews what it holds, whether the pods can be counted or not, counts them, and takes what it may. Returns what it waits for.
    pub(super) async fn look(&mut self) -> Result<Option<String>, ApiError> {
        for (partition, lease) in std::mem::take(&mut self.held) {
            let renewed = lease.clone().taken_by(self.pod.name());
            match self.pod.replace(&renewed).await {
                Ok(Some(lease)) => drop(self.held.insert(partition, lease)),
                Ok(None) => tracing::warn!(lease = lease.name(), "another pod took the Lease"),
                Err(error) => {
                    // What it says of the others is as good as before.
                    self.held.insert(partition, lease);
                    tracing::warn!("{error}; the partitions stay as they are");
                }
            }
        }
        // A pod that is to go has none.
        let share = Share::new(self.pod.index(), self.pod.count().await?);
        let wanted = share.map(|share| share.of(self.all.clone()));
        self.wanted = wanted.into_iter().flatten().collect();
        let mut waits = None;
        for partition in self.wanted.clone() {
            if !self.held.contains_key(&partition)
                && let Some(holder) = self.take(partition).await?
            {
                waits = Some(format!("partition {partition} is still with {holder}"));
            }
        }
        Ok(waits)
    }

    /// Takes a Lease, or returns who holds it.
    async fn take(&mut self, partition: u32) -> Result<Option<String>, ApiError> {
        let name = format!("{}-{partition}", self.pod.statefulset());
        let taken = match self.pod.lease(&name).await? {
            None => {
                let new = Lease::new(&name).taken_by(self.pod.name());
                self.pod.create(&new).await?
            }
            Some(lease) => {
                let seen = self.seen.entry(partition).or_default();
                if !seen.may_take(&lease, self.pod.name(), Instant::now()) {
                    return Ok(lease.holder().map(str::to_owned));
                }
                self.pod.replace(&lease.taken_by(self.pod.name())).await?
            }
        };
        let Some(lease) = taken else {
            return Ok(Some("another pod, which was faster".to_owned()));
        };
        self.seen.remove(&partition);
        self.held.insert(partition, lease);
        Ok(None)
    }

    /// Lets go of what this pod does not work on, so that others need not wait for it to expire.
    pub(super) async fn let_go_but(&mut self, kept: &[u32]) {
        let go = |partition: &u32, _: &mut Lease| !kept.contains(partition);
        for (_, lease) in self.held.extract_if(.., go) {
            if let Err(error) = self.pod.replace(&lease.let_go()).await {
                tracing::warn!("{error}; the Lease expires by itself");
            }
        }
    }
}
