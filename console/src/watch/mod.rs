//! The background tasks that keep the console up to date.
//!
//! - `follow`: passes on the records of a topic as they arrive.
//! - `flow`: surveys the platform; `speedometer` measures its topics and `stopwatch` its SmartModules, over a `window` of
//!   time.

mod flow;
mod follow;
mod speedometer;
mod stopwatch;
mod window;

pub(crate) use flow::{Flow, watch};
pub(crate) use follow::Follow;
pub use stopwatch::{ChainTime, ChainTimes};
