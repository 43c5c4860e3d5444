//! The SmartModules that a deployment replaced, stored on the cluster for `coinlake deploy --rollback`.
//!
//! Each is stored as a SmartModule of its own, `crypto-clean-previous`, with a custom section at its end that names the deployment which
//! replaced it. A deployment that was interrupted and runs again finds its own id there and leaves what is stored alone: it would
//! otherwise store modules that it had already replaced.

use market::names::smartmodule;
use sha2::{Digest, Sha256};

use crate::assets::SmartModule;

/// The head of the custom section (WebAssembly 1.0, section 5.5.3): its id 0, its size, the size of its name, its name.
const SECTION_HEAD: &[u8; 22] = b"\0\x34\x13coinlake.replacedby";
const ID_BYTES: usize = 32;

/// Identifies a deployment: the SHA-256 of its SmartModules, in order, before models are put in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DeploymentId([u8; ID_BYTES]);

/// A SmartModule that a deployment replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Previous {
    pub(super) wasm: Vec<u8>,
    pub(super) replaced_by: DeploymentId,
}

impl DeploymentId {
    pub(super) fn of(modules: &[SmartModule]) -> Self {
        let mut hash = Sha256::new();
        for module in modules {
            hash.update((module.wasm.len() as u64).to_le_bytes());
            hash.update(&module.wasm);
        }
        Self(hash.finalize().into())
    }
}

impl Previous {
    /// What [`Self::to_wasm`] made; `None` for anything else.
    pub(super) fn from_wasm(wasm: &[u8]) -> Option<Self> {
        let (rest, id) = wasm.split_last_chunk::<ID_BYTES>()?;
        Some(Self {
            wasm: rest.strip_suffix(SECTION_HEAD)?.to_vec(),
            replaced_by: DeploymentId(*id),
        })
    }

    /// The module with `replaced_by` in a custom section at its end, which engines ignore.
    pub(super) fn to_wasm(&self) -> Vec<u8> {
        [&self.wasm[..], SECTION_HEAD, &self.replaced_by.0].concat()
    }
}

/// The name under which the module before `name` is stored.
pub(super) fn previous_name(name: &str) -> String {
    format!("{name}-previous")
}

/// The names of all stored modules.
pub(super) fn previous_names() -> impl Iterator<Item = String> {
    smartmodule::ALL.into_iter().map(previous_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_section_is_as_long_as_it_says() {
        let name = SECTION_HEAD[2] as usize;
        assert_eq!(3 + name, SECTION_HEAD.len());
        assert_eq!(SECTION_HEAD[1] as usize, 1 + name + ID_BYTES);
    }

    #[test]
    fn a_kept_module_comes_back_unchanged() {
        let modules = [SmartModule {
            name: "crypto-clean",
            wasm: b"\0asm, new".to_vec(),
        }];
        let previous = Previous {
            wasm: b"\0asm, old".to_vec(),
            replaced_by: DeploymentId::of(&modules),
        };
        assert_eq!(Previous::from_wasm(&previous.to_wasm()), Some(previous));
        assert_eq!(Previous::from_wasm(b"\0asm, old"), None);
        assert_eq!(Previous::from_wasm(&[0; 100]), None);
    }
}
