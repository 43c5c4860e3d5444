//! The SmartModules between a topic and a connector.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use fluvio::consumer::{SmartModuleExtraParams, SmartModuleInvocationWasm, SmartModuleKind};
use fluvio_smartmodule::dataplane::smartmodule;

use crate::SmartModuleInvocation;
use crate::config::document;

/// One step of `transforms`.
#[derive(Clone, PartialEq, Eq)]
pub struct Transform {
    /// The SmartModule's name in the cluster.
    pub uses: String,
    /// Its parameters; what is not a string in the file is JSON here.
    pub with: BTreeMap<String, String>,
    /// Records it is shown before the first.
    pub lookback: Option<Lookback>,
}

impl Transform {
    /// As the invocation a consumer sends.
    pub fn invocation(&self) -> SmartModuleInvocation {
        let lookback = self.lookback.map(|lookback| smartmodule::Lookback {
            last: lookback.last,
            age: lookback.age,
        });
        SmartModuleInvocation {
            wasm: SmartModuleInvocationWasm::Predefined(self.uses.clone()),
            kind: SmartModuleKind::Generic(Default::default()),
            params: SmartModuleExtraParams::new(self.with.clone(), lookback),
            name: Some(self.uses.clone()),
        }
    }
}

/// The parameters' names only: a value may come from a secret.
impl fmt::Debug for Transform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transform")
            .field("uses", &self.uses)
            .field("with", &self.with.keys().collect::<Vec<_>>())
            .field("lookback", &self.lookback)
            .finish()
    }
}

/// How far a SmartModule looks back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lookback {
    /// So many records; 0 with an age: only the age counts.
    pub last: u64,
    /// Records so young.
    pub age: Option<Duration>,
}

impl From<document::Transform> for Transform {
    fn from(raw: document::Transform) -> Self {
        Self {
            uses: raw.uses,
            with: raw
                .with
                .into_iter()
                .map(|(name, value)| (name, value.0))
                .collect(),
            lookback: raw.lookback.map(|lookback| Lookback {
                last: lookback.last,
                age: lookback.age.map(|span| span.0),
            }),
        }
    }
}
