//! Creates, updates and deletes what this command ships on a cluster, real or embedded.
//!
//! Reading the cluster, deciding (without I/O) and changing are separate: whatever can be foreseen to fail is refused before
//! the first change, and `coinlake deploy` can show the plan first.
//!
//! - [`bundle`]: what to deploy
//! - [`cluster_state`]: what the cluster has
//! - [`serving`]: chooses the models that crypto-predict will serve
//! - [`plan`]: the steps from the cluster's state to the bundle, or why they must not be taken
//! - [`previous`]: what a deployment replaced, for a rollback
//! - [`apply`]: carries out the steps
//! - [`goal`]: plans, applies and waits until the cluster shows the result
//! - [`wait`]: waits until another process has deployed

mod apply;
mod bundle;
mod cluster_state;
mod goal;
mod plan;
mod previous;
mod serving;
mod wait;

pub(crate) use bundle::{Bundle, TopicOptions};
pub(crate) use goal::{Goal, deploy, served_models};
pub(crate) use wait::wait_until_deployed;
