//! A Lease of Kubernetes: who has a piece of the work.
//!
//! Always true: clocks of two machines are never compared. A Lease has expired when somebody has seen it unchanged for its whole
//! duration.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

/// How long a Lease lives that nobody renews, such as that of a pod whose node died.
const DURATION: Duration = Duration::from_secs(15);

/// The label of all that Coinlake has in a namespace.
const PART_OF: [&str; 2] = ["app.kubernetes.io/part-of", "coinlake"];

/// An object of `coordination.k8s.io/v1`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Lease {
    api_version: String,
    kind: String,
    metadata: Metadata,
    #[serde(default)]
    spec: Spec,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    name: String,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    /// The version that an update replaces: of two updates of one version, the second is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_version: Option<String>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    /// Empty: nobody.
    #[serde(default)]
    holder_identity: String,
    lease_duration_seconds: Option<u64>,
    acquire_time: Option<String>,
    renew_time: Option<String>,
}

impl Lease {
    /// One that does not exist yet.
    pub fn new(name: &str) -> Self {
        Self {
            api_version: "coordination.k8s.io/v1".to_owned(),
            kind: "Lease".to_owned(),
            metadata: Metadata {
                name: name.to_owned(),
                labels: BTreeMap::from([PART_OF.map(str::to_owned).into()]),
                resource_version: None,
            },
            spec: Spec::default(),
        }
    }

    /// Its name in the namespace.
    pub fn name(&self) -> &str {
        &self.metadata.name
    }

    /// Who has it, unless it was let go.
    pub fn holder(&self) -> Option<&str> {
        Some(self.spec.holder_identity.as_str()).filter(|holder| !holder.is_empty())
    }

    /// With this pod as its holder.
    pub fn taken_by(mut self, pod: &str) -> Self {
        let now = Some(format!("{:.6}", Timestamp::now()));
        if self.holder() != Some(pod) {
            self.spec.acquire_time.clone_from(&now);
        }
        self.spec.holder_identity = pod.to_owned();
        self.spec.lease_duration_seconds = Some(DURATION.as_secs());
        self.spec.renew_time = now;
        self
    }

    /// Without a holder.
    pub fn let_go(mut self) -> Self {
        self.spec.holder_identity.clear();
        self
    }
}

/// What somebody has seen of a Lease that another pod holds.
#[derive(Debug, Default)]
pub struct Seen {
    last: Option<(String, Instant)>,
}

impl Seen {
    /// Whether a pod may take the Lease: nobody has it, the pod itself has it, or its holder has not renewed it in time.
    pub fn may_take(&mut self, lease: &Lease, pod: &str, now: Instant) -> bool {
        let version = lease.metadata.resource_version.clone().unwrap_or_default();
        let since = match &self.last {
            Some((seen, since)) if *seen == version => *since,
            _ => {
                self.last = Some((version, now));
                now
            }
        };
        lease.holder().is_none_or(|holder| holder == pod) || now - since > DURATION
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the API server returns it after a number of updates.
    fn held_by(pod: &str, version: u32) -> Lease {
        let mut lease = Lease::new("stage-raw-0").taken_by(pod);
        lease.metadata.resource_version = Some(version.to_string());
        lease
    }

    #[test]
    fn a_lease_is_taken_from_a_pod_that_stopped_renewing_it() {
        let (mut seen, start) = (Seen::default(), Instant::now());
        let mut may = |lease: &Lease, secs| {
            seen.may_take(lease, "stage-raw-1", start + Duration::from_secs(secs))
        };
        assert!(!may(&held_by("stage-raw-0", 1), 0));
        assert!(!may(&held_by("stage-raw-0", 1), 14));
        assert!(!may(&held_by("stage-raw-0", 2), 16), "renewed");
        assert!(!may(&held_by("stage-raw-0", 2), 30));
        assert!(may(&held_by("stage-raw-0", 2), 32));
    }

    #[test]
    fn a_pods_own_lease_and_a_free_one_are_taken_at_once() {
        let now = Instant::now();
        for lease in [
            held_by("stage-raw-1", 1),
            held_by("stage-raw-0", 2).let_go(),
        ] {
            assert!(Seen::default().may_take(&lease, "stage-raw-1", now));
        }
    }

    #[test]
    fn times_are_those_that_kubernetes_reads() {
        let written = serde_json::to_value(held_by("stage-raw-0", 1)).unwrap();
        let renewed = written["spec"]["renewTime"].as_str().unwrap();
        let digits = renewed.rsplit_once('.').unwrap().1;
        assert!(digits.len() == 7 && digits.ends_with('Z'), "{renewed}");
    }
}
