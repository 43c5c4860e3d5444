//! What every Coinlake connector shares.
//!
//! - [`cluster`]: a connection to a Fluvio cluster, and what to ask it.
//! - [`topic`]: create topics and count their partitions.
//! - [`record`]: records and ranges of offsets.
//! - [`reader`]: the records of one partition without gaps or duplicates, plain or through SmartModules.
//! - [`writer`]: the only writer of one partition; what it returns is acknowledged.
//! - [`config`]: the configuration file of `fluvio-connector-common`, checked more strictly, and its secrets.
//! - [`http`]: addresses on this machine.
//! - [`kubernetes`]: the number of a pod's fellows, and Leases.
//! - [`process`]: arguments, log, metrics and probes, stop signals.
//! - [`backoff`]: growing pauses between attempts.
//! - [`clock`]: the time a schedule goes by, which a test can simulate.
//!
//! Functions that call deep into the Fluvio client return boxed futures. A plain `async fn` would be compiled again, with
//! everything below it, in every binary and test that awaits it.

pub mod backoff;
pub mod clock;
pub mod cluster;
pub mod config;
pub mod http;
pub mod kubernetes;
pub mod process;
pub mod reader;
pub mod record;
pub mod topic;
pub mod writer;

pub use fluvio::consumer::SmartModuleInvocation;
