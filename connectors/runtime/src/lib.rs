//! What every Coinlake connector shares: configuration, secrets, the gap-free reader, the careful writer, shutdown.
//!
//! * [`config`] and [`secrets`]: the same file that `fluvio-connector-common` reads, checked more strictly.
//! * [`cluster`]: one fresh connection to a Fluvio cluster, by address or by profile.
//! * [`topic`]: creating topics and asking how many partitions they have.
//! * [`reader`]: records of one partition without a gap and without a double, plain or through SmartModules.
//! * [`writer`]: the only writer of one partition; what it returns is acknowledged.
//! * [`smartmodule`]: which SmartModule a name means.
//! * [`progress`]: what `fluvio consumer list` shows about a connector.
//! * [`monitor`]: `/metrics`, `/healthz` and `/readyz`; [`pulse`]: whether the cluster answers.
//! * [`retry`], [`shutdown`], [`cli`], [`log`]: staying up, stopping, starting, telling.
//!
//! What goes deep into the Fluvio client lies behind a boxed future: an `async fn` is compiled again, with all below it, in every
//! program and every test that awaits it.

mod batch;
pub mod cli;
pub mod cluster;
pub mod config;
pub mod log;
pub mod monitor;
pub mod progress;
pub mod pulse;
pub mod reader;
pub mod record;
pub mod retry;
pub mod secrets;
pub mod shutdown;
pub mod smartmodule;
mod spu;
mod tls;
pub mod topic;
pub mod writer;

pub use fluvio::consumer::SmartModuleInvocation;
