//! Options that several commands share.
//!
//! - [`duration`]: a duration that is not zero
//! - [`target`]: which running platform to look at
//! - [`smartmodules`]: where the SmartModule files are

mod duration;
mod smartmodules;
mod target;

pub(crate) use duration::some_time;
pub(crate) use smartmodules::SmartModulesArgs;
pub(crate) use target::{Target, TargetArgs, open_existing};
