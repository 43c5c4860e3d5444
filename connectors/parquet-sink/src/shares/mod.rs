//! The partitions of a pod of a StatefulSet, which follow the number of its pods.
//!
//! - `follow` runs a stage on the partitions that a pod holds, anew whenever they change.
//! - `held` keeps the Leases of these partitions.
//!
//! Always true: a pod works on a partition only while it believes to hold its Lease. One that is cut off may believe so too long; then
//! two write for a moment, of which the lake's log and the readers' `source_offset` let one count. An API server that is away stops
//! nobody: nobody can take a Lease either.

mod follow;
mod held;

pub(crate) use follow::follow;
