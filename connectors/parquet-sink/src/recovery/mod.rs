//! Where a partition resumes after a start, a crash or a failure.
//!
//! - `gather` reads what lake, input and output topics hold into `facts`.
//! - `resume` decides from the facts, without I/O, or refuses with a `refusal` that names the way out.
//! - `topics` decides where an output topic resumes.
//! - `accept` makes an accepted change an entry in the lake, so that it is accepted once.
//! - `read_back` takes rows that an output topic holds and the lake lacks from that topic.
//! - `duplicates` finds the record that a module must see first to recognise duplicates.
//! - `watermark` tracks from which input a restarted module gets its state back.

mod accept;
mod duplicates;
mod facts;
mod gather;
mod read_back;
mod refusal;
mod resume;
mod topics;
mod watermark;

pub(crate) use accept::commit_acceptance;
pub(crate) use gather::gather;
pub(crate) use read_back::ReadBack;
pub(crate) use refusal::Refusal;
pub(crate) use resume::{ResumePlan, resume};
pub(crate) use topics::TopicPlan;
pub(crate) use watermark::Watermark;
