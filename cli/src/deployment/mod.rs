//! Creates, updates and deletes what this command ships on a cluster, real or embedded.
//!
//! Reading the cluster, deciding (without I/O) and changing are separate, so that everything that can be refused is
//! refused before the first change, and people see the plan before it happens.
//!
//! - [`bundle`]: what to deploy
//! - [`cluster_state`]: what the cluster has
//! - [`serving`]: which models the deployed crypto-predict serves
//! - [`plan`]: the steps from the one to the other
//! - [`apply`]: takes the steps
//! - [`goal`]: plans, applies and waits until the cluster shows the result
//! - [`wait`]: waits for a deployment that another process does

mod apply;
mod bundle;
mod cluster_state;
mod goal;
mod plan;
mod serving;
mod wait;

pub(crate) use bundle::Bundle;
pub(crate) use goal::{Goal, deploy};
pub(crate) use wait::wait;
