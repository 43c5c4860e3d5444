//! The only writer of one partition.
//!
//! - [`TopicWriter::append`] returns when the records are acknowledged: written, and committed on all replicas that the topic
//!   asks for.
//! - One batch is in flight, and it is never sent again. After an error it is unknown whether the batch arrived, so the writer
//!   refuses further work; the topic's tail tells what arrived.
//! - Each acknowledgement must name the expected offset. Another one means that somebody else writes to the partition.

mod error;
mod topic_writer;

pub use error::WriteError;
pub use topic_writer::{TopicWriter, WriterOptions};
