//! Output topics: outputs are appended as they come, in order, each once.
//!
//! - `topic` is the handle on one output partition, with a queue.
//! - `appender` is the task behind it, the only writer of that partition.
//! - `tail` finds where an output partition ends.
//! - `error` says why one cannot be written.

mod appender;
mod error;
mod tail;
mod topic;

pub(crate) use appender::{APPEND_BYTES_MAX, Acknowledged, OutputReport, Pending};
pub(crate) use error::OutputError;
pub(crate) use tail::tail;
pub(crate) use topic::TopicOutput;
