//! Coinlake on a cluster: the embedded broker always, and a genuine Fluvio cluster where there is one. `COINLAKE_TEST_CLUSTER`
//! names the profile of one that holds no topic of Coinlake: the tests create them, and delete them at the end.
//! `COINLAKE_FLUVIO_RUN` names a `fluvio-run`: each test then starts a cluster of its own, which can also be killed.

mod deploy;
mod pipeline;
mod support;
mod tls;
mod whole;
