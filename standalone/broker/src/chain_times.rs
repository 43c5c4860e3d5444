//! How long chains of SmartModules have worked on how many records, for whoever runs the broker in its own process.
//!
//! Fluvio's protocol has no way to ask for it: other processes read the same numbers from `/metrics`, where they are served.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fluvio_spu_schema::server::smartmodule::SmartModuleInvocation;

/// The work of every chain since the broker started, by the chain's name. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct ChainTimes(Arc<Mutex<BTreeMap<String, ChainTime>>>);

/// The work of one chain.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ChainTime {
    /// Records that went in.
    pub records: u64,
    /// How long the engine was busy with them.
    pub busy: Duration,
}

impl ChainTimes {
    /// What a chain of these SmartModules has done; `None` when none has run yet.
    pub fn of(&self, smartmodules: &[impl AsRef<str>]) -> Option<ChainTime> {
        let names = smartmodules.iter().map(AsRef::as_ref);
        self.all().get(&joined(names)).copied()
    }

    pub(crate) fn add(&self, chain: &str, records: u64, busy: Duration) {
        let mut all = self.all();
        match all.get_mut(chain) {
            Some(time) => {
                time.records += records;
                time.busy += busy;
            }
            None => {
                all.insert(chain.to_owned(), ChainTime { records, busy });
            }
        }
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<String, ChainTime>> {
        // Two sums that belong to one record more or less: nothing is broken behind a poisoned lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The name of a chain: those of its modules, with `+` between them.
pub(crate) fn name(modules: &[SmartModuleInvocation]) -> String {
    joined(
        modules
            .iter()
            .map(|module| module.name.as_deref().unwrap_or("unnamed")),
    )
}

fn joined<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join("+")
}
