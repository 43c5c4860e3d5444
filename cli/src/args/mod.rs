//! Options that several commands share.
//!
//! - [`target`]: which running platform to look at
//! - [`smartmodules`]: where the SmartModule files are

mod smartmodules;
mod target;

pub(crate) use smartmodules::SmartModulesArgs;
pub(crate) use target::{Target, TargetArgs, open_existing};
