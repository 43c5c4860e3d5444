//! Fluvio connector: CoinGecko market data into a topic.
//!
//! Each coin of a `/coins/markets` reply becomes one record: the key is the coin's id, the value the bytes of its object
//! exactly as they came. Nothing is judged here: what is wrong with a coin, crypto-clean says.
//!
//! - [`SourceSettings`] (the `coingecko` section of the [`Config`]) says what to poll; all of it is checked before the
//!   first request.
//! - `poll` asks for every page and tries again where that may help, paced by `budget`: calls a minute and a month.
//!   `reply` decides what came back and what to do next, without any I/O; `freshness` whether it says anything new.
//! - `history` fills in what is missing of the past, out of the coins' charts; [`backfill`] does so on demand.
//! - `append` writes each partition in order, and after a failure finds out what had arrived.
//! - [`run`] ties them together; [`SourceStatus`] counts.
//!
//! **Guarantees.** While the connector runs, each reply that came whole is in the topic once, also across restarts of
//! the broker, less what repeats the object last sent for its coin. If the connector itself is killed between a reply and its acknowledgement, that poll is lost or, live,
//! fetched again at the next start; crypto-clean rejects a repeated coin and time as `duplicate`.

mod append;
mod backfill;
mod budget;
mod clock_check;
mod coin_times;
mod config;
mod error_kind;
mod freshness;
mod history;
mod meanings;
mod partition;
mod poll;
mod reply;
mod run;
mod sparse;
mod status;

pub use backfill::{LaterData, backfill};
pub use budget::plan::KeyPlan;
pub use config::{Config, SECTION, SettingsError, SourceSettings};
pub use history::HistorySpan;
pub use partition::partition_of;
pub use run::run;
pub use status::{BACKFILLING, ErrorKind, SourceStatus};
