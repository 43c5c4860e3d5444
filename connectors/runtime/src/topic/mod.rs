//! Topics: create them, wait for them, count their partitions.
//!
//! - [`TopicSettings`]: a topic as a configuration describes it.
//! - [`wait_for_topics`]: what a connector does first; it waits for a cluster that is away.
//! - [`ensure_topic`], [`create_topic`], [`partition_count`]: the same over one connection, without waiting.

mod create;
mod error;
mod settings;
mod wait;

pub use create::{create_topic, ensure_topic, partition_count};
pub use error::TopicError;
pub use settings::{SEGMENT_SIZE_BYTES, TopicSettings};
pub use wait::wait_for_topics;
