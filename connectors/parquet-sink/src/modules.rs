//! Which SmartModules a stage runs, by content and not only by name: a name can be given to another module at any time.

use std::time::{Duration, Instant};

use connector_runtime::cluster::Client;
use connector_runtime::config::Transform;
use connector_runtime::smartmodule::goes_by;
use fluvio::metadata::smartmodule::SmartModuleSpec;
use sha2::{Digest, Sha256};

use lake::ModuleStamp;

/// How often a replaced module is looked for, at most: looking fetches its wasm.
pub const LOOK_INTERVAL: Duration = Duration::from_secs(10);
/// How long the cluster may take to tell of a module.
pub const ASK_TIMEOUT: Duration = Duration::from_secs(5);
/// A new module must have been there for a fifth of that, so that every SPU has it.
const SETTLE_PART: u32 = 5;

/// Why a SmartModule is not known.
#[derive(Debug, thiserror::Error)]
pub enum ModuleError {
    /// It does not exist.
    #[error(
        "SmartModule `{0}` does not exist in the cluster: create it (fluvio smartmodule create)"
    )]
    Missing(String),
    /// More than one goes by that name.
    #[error(
        "SmartModule `{name}` may be {one} or {other}, and an SPU takes any of them: delete all but one (fluvio smartmodule \
         delete), or give the whole name"
    )]
    Ambiguous {
        /// What the configuration says.
        name: String,
        /// A module it may mean.
        one: String,
        /// Another.
        other: String,
    },
    /// The cluster did not answer.
    #[error("cannot ask the cluster about SmartModule `{name}`: {reason}")]
    Unanswered {
        /// The module.
        name: String,
        /// What happened.
        reason: String,
    },
}

impl ModuleError {
    /// Whether trying again later can help.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unanswered { .. })
    }
}

/// The modules as the cluster has them now.
///
/// # Errors
/// When one does not exist or the cluster does not answer.
pub async fn stamps(
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
        // The client itself waits for ever for a cluster that has fallen silent.
        let found = admin.list::<SmartModuleSpec, String>(vec![name.clone()]);
        let found = match tokio::time::timeout(ASK_TIMEOUT, found).await {
            Ok(found) => found.map_err(|e| unanswered(e.to_string()))?,
            Err(_) => {
                let secs = ASK_TIMEOUT.as_secs();
                return Err(unanswered(format!("no answer in {secs} s")));
            }
        };
        let mut matching = found.into_iter().filter(|module| goes_by(module, name));
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
            sha256: hex(&Sha256::digest(wasm)),
        });
    }
    Ok(stamps)
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        write!(text, "{byte:02x}").expect("writing to a string cannot fail");
    }
    text
}

/// Notices that a module was replaced.
#[derive(Debug)]
pub struct ModuleWatch {
    running: Vec<ModuleStamp>,
    look_interval: Duration,
    next_look: Instant,
    candidate: Option<(Vec<ModuleStamp>, Instant)>,
}

impl ModuleWatch {
    /// `running` is what the stream was opened with.
    pub fn new(running: Vec<ModuleStamp>, look_interval: Duration, now: Instant) -> Self {
        Self {
            running,
            look_interval,
            next_look: now + look_interval,
            candidate: None,
        }
    }

    /// What the stream was opened with.
    pub fn running(&self) -> &[ModuleStamp] {
        &self.running
    }

    /// When to look again; `None` for a stage without modules.
    pub fn next_look(&self) -> Option<Instant> {
        (!self.running.is_empty()).then_some(self.next_look)
    }

    /// Takes note of what the cluster has; true when the stream should be opened again.
    pub fn looked(&mut self, found: Vec<ModuleStamp>, now: Instant) -> bool {
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

    /// Looking failed: try at the usual time.
    pub fn postpone(&mut self, now: Instant) {
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
    fn a_replaced_module_must_have_settled() {
        let start = Instant::now();
        let mut watch = ModuleWatch::new(module("a"), LOOK_INTERVAL, start);
        assert!(!watch.looked(module("a"), start));
        assert!(!watch.looked(module("b"), start));
        assert_eq!(watch.next_look(), Some(start + SETTLE));
        assert!(
            !watch.looked(module("c"), start + SETTLE),
            "another one again"
        );
        assert!(watch.looked(module("c"), start + 2 * SETTLE));
    }

    #[test]
    fn a_module_put_back_changes_nothing() {
        let start = Instant::now();
        let mut watch = ModuleWatch::new(module("a"), LOOK_INTERVAL, start);
        assert!(!watch.looked(module("b"), start));
        assert!(!watch.looked(module("a"), start + SETTLE));
        assert!(!watch.looked(module("b"), start + 2 * SETTLE));
    }
}
