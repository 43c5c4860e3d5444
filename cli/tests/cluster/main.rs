//! Coinlake on a cluster: the embedded broker always, and a genuine Fluvio cluster where there is one. `COINLAKE_TEST_CLUSTER`
//! names the profile of one that holds no topic of Coinlake: the tests create them, and delete them at the end.
//! `COINLAKE_FLUVIO_RUN` names a `fluvio-run`: each test then starts a cluster of its own, which can also be killed.

#![allow(clippy::unwrap_used)] // a panic is how a test fails, in its helpers too

mod certificates;
mod deploy;
mod own;
mod pipeline;
#[path = "../rows/mod.rs"]
mod rows;
mod support;
mod tls;
mod whole;
