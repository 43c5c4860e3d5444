//! The API of Kubernetes, as far as a pod needs it that shares work with others.
//!
//! - [`Pod`] speaks to the API server: how many pods its StatefulSet has, and Leases.
//! - [`Lease`] is who has a piece of the work; [`Seen`] says when it may be taken from its holder.

mod lease;
mod pod;

pub use lease::{Lease, Seen};
pub use pod::{ApiError, Pod};
