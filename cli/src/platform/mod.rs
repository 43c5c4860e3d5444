//! The one-machine platform: broker, source and stages in one process, talking over TCP as on a cluster.
//!
//! Starting it has two phases, each a type of its own: a [`Backbone`] is a broker with everything deployed, a [`Platform`]
//! is a backbone with a running source and running stages.
//!
//! - [`data_dir`]: its data directory, with a [`note`] of what it holds
//! - [`listen`]: its default addresses
//! - [`backbone`] and [`running`]: the two phases; [`connectors`]: the tasks of the second
//! - [`end_offsets`]: how many records a topic has had
//! - [`progress`] and [`summary`]: what people see during and after a run
//! - [`parts_file`]: what the parts of a running `up` say about themselves
//! - [`desk`]: what people do about alerts in the console
//! - [`retraining`]: trains at an interval, in a child process
//! - [`upkeep`]: keeps the lake's tables in order, and the runs few
//! - [`disk`]: what everything takes on disk
//! - [`memory`]: returns freed memory to the operating system

mod backbone;
mod connectors;
mod data_dir;
mod desk;
mod disk;
mod end_offsets;
mod listen;
mod memory;
mod note;
mod parts_file;
mod progress;
mod retraining;
mod running;
mod summary;
mod upkeep;

pub(crate) use backbone::{Backbone, BackboneConfig, ConsolePlan};
pub(crate) use connectors::first_failure;
pub(crate) use data_dir::DataDir;
pub(crate) use desk::{Desk, DeskElsewhere};
pub(crate) use disk::{DiskUse, watch as watch_disk};
pub(crate) use end_offsets::{end_offsets, records_by_layer};
pub(crate) use listen::{DEFAULT_BROKER_LISTEN, DEFAULT_CONSOLE_LISTEN, loopback};
pub(crate) use memory::share_arenas;
pub(crate) use note::{FIELD_MARKET, LIVE_MARKET, LastStart, Market, NOTE, SYNTHETIC_MARKET};
pub(crate) use parts_file::PartsFile;
pub(crate) use progress::ProgressLine;
pub(crate) use retraining::{RetrainingPlan, retrain};
pub(crate) use running::{Platform, STOPPED, STOPPING, STOPPING_AFTER_FAILURE};
pub(crate) use summary::Summary;
pub(crate) use upkeep::{INTERVAL as UPKEEP_INTERVAL, KEPT_RUNS, keep_up};
