//! The background tasks that keep the console up to date.
//!
//! - `follow`: passes on the records of a topic as they arrive.
//! - `source`: where the data comes from.
//! - `flow`: surveys the platform; `speedometer` measures its topics and `stopwatch` its SmartModules, over a `window` of
//!   time; `hour` remembers the last hour.

mod flow;
mod follow;
mod hour;
mod source;
mod speedometer;
mod stopwatch;
mod window;

pub(crate) use flow::{Flow, watch};
pub(crate) use follow::Follow;
pub use source::{Market, MarketKind, SourceReport, SourceReports};
pub use stopwatch::{ChainTime, ChainTimes};
