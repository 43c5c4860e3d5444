//! The SmartModules that a stage runs, by content and not only by name: a name can get another module at any time.

use std::time::{Duration, Instant};

use connector_runtime::cluster::Client;
use connector_runtime::cluster::smartmodule::matches_name;
use connector_runtime::config::Transform;
use fluvio::metadata::smartmodule::SmartModuleSpec;
use lake::ModuleStamp;
use sha2::{Digest, Sha256};

/// How often to look for a replaced module. Each look fetches the wasm of every module.
pub(crate) const LOOK_INTERVAL: Duration = Duration::from_secs(10);
/// How long the cluster may take to answer about a module.
pub(crate) const ASK_TIMEOUT: Duration = Duration::from_secs(5);
/// A replaced module must stay the same for this part of [`LOOK_INTERVAL`], so that every SPU has it.
const SETTLE_PART: u32 = 5;

/// Why the stage cannot tell which SmartModule it runs.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ModuleError {
    /// The cluster has no SmartModule of that name.
    #[error(
        "SmartModule `{0}` does not exist in the cluster: create it (fluvio smartmodule create)"
    )]
    Missing(String),
    /// Several SmartModules have that name.
    #[error(
        "SmartModule `{name}` may be {one} or {other}, and an SPU takes either: delete one of them (fluvio smartmodule \
         delete), or write the full name"
    )]
    Ambiguous {
        /// The name in the configuration.
        name: String,
        /// A module of that name.
        one: String,
        /// Another.
        other: String,
    },
    /// The cluster did not answer.
    #[error(
        "the cluster does not answer about SmartModule `{name}`: {reason}; check the SC and the network"
    )]
    Unanswered {
        /// The SmartModule's name.
        name: String,
        /// What happened.
        reason: String,
    },
}

impl ModuleError {
    /// Whether a later attempt can succeed.
    pub(crate) fn is_transient(&self) -> bool {
        matches!(self, Self::Unanswered { .. })
    }
}

/// The modules that the cluster has now, in the order of `transforms`.
///
/// # Errors
/// When one does not exist or the cluster does not answer.
pub(crate) async fn stamps(
    client: &Client,
    transforms: &[Transform],
) -> Result<Vec<ModuleStamp>, ModuleError> {
    let mut stamps = Vec::with_capacity(transforms.len());
    if transforms.is_empty() {
        return Ok(stamps);
    }
    let admin = client.admin().await;
    for transform in transforms {
        let name = &transform.uses;
        let unanswered = |reason| ModuleError::Unanswered {
            name: name.clone(),
            reason,
        };
        // The client has no timeout of its own.
        let found = admin.list::<SmartModuleSpec, String>(vec![name.clone()]);
        let found = match tokio::time::timeout(ASK_TIMEOUT, found).await {
            Ok(found) => found.map_err(|error| unanswered(error.to_string()))?,
            Err(_) => {
                let secs = ASK_TIMEOUT.as_secs();
                return Err(unanswered(format!("no answer in {secs} s")));
            }
        };
        let mut matching = found
            .into_iter()
            .filter(|module| matches_name(module, name));
        let module = matching
            .next()
            .ok_or_else(|| ModuleError::Missing(name.clone()))?;
        if let Some(other) = matching.next() {
            return Err(ModuleError::Ambiguous {
                name: name.clone(),
                one: module.spec.fqdn(&module.name).into_owned(),
                other: other.spec.fqdn(&other.name).into_owned(),
            });
        }
        let wasm: &[u8] = &module.spec.wasm.payload;
        stamps.push(ModuleStamp {
            name: name.clone(),
            params: transform.with.clone(),
            sha256: hex::encode(Sha256::digest(wasm)),
        });
    }
    Ok(stamps)
}

/// Notices a replaced module. Reads no clock.
#[derive(Debug)]
pub(crate) struct ModuleWatch {
    running: Vec<ModuleStamp>,
    look_interval: Duration,
    next_look: Instant,
    candidate: Option<(Vec<ModuleStamp>, Instant)>,
}

impl ModuleWatch {
    /// `running` are the modules that the stream was opened with.
    pub(crate) fn new(running: Vec<ModuleStamp>, look_interval: Duration, now: Instant) -> Self {
        Self {
            running,
            look_interval,
            next_look: now + look_interval,
            candidate: None,
        }
    }

    /// The modules that the stream was opened with.
    pub(crate) fn running(&self) -> &[ModuleStamp] {
        &self.running
    }

    /// When to look again; `None` for a stage without modules.
    pub(crate) fn next_look(&self) -> Option<Instant> {
        (!self.running.is_empty()).then_some(self.next_look)
    }

    /// Notes the modules that the cluster has; true when the stream must be reopened.
    pub(crate) fn found(&mut self, found: Vec<ModuleStamp>, now: Instant) -> bool {
        if found == self.running {
            self.candidate = None;
            self.next_look = now + self.look_interval;
            return false;
        }
        let settle = self.look_interval / SETTLE_PART;
        match &self.candidate {
            Some((candidate, since)) if *candidate == found => {
                self.next_look = *since + settle;
                now >= self.next_look
            }
            _ => {
                self.candidate = Some((found, now));
                self.next_look = now + settle;
                false
            }
        }
    }

    /// Notes that looking failed: the next look comes at the usual time.
    pub(crate) fn postpone(&mut self, now: Instant) {
        self.next_look = now + self.look_interval;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTLE: Duration = Duration::from_secs(2);

    fn module(sha256: &str) -> Vec<ModuleStamp> {
        vec![ModuleStamp {
            name: "m".to_owned(),
            params: Default::default(),
            sha256: sha256.to_owned(),
        }]
    }

    #[test]
    fn a_replaced_module_must_settle() {
        let start = Instant::now();
        let mut watch = ModuleWatch::new(module("a"), LOOK_INTERVAL, start);
        assert!(!watch.found(module("a"), start));
        assert!(!watch.found(module("b"), start));
        assert_eq!(watch.next_look(), Some(start + SETTLE));
        assert!(
            !watch.found(module("c"), start + SETTLE),
            "it was replaced again"
        );
        assert!(watch.found(module("c"), start + 2 * SETTLE));
    }

    #[test]
    fn a_module_that_is_put_back_does_not_reopen_the_stream() {
        let start = Instant::now();
        let mut watch = ModuleWatch::new(module("a"), LOOK_INTERVAL, start);
        assert!(!watch.found(module("b"), start));
        assert!(!watch.found(module("a"), start + SETTLE));
        assert!(!watch.found(module("b"), start + 2 * SETTLE));
    }
}
