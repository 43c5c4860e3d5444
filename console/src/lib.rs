//! The web console.
//!
//! It needs nothing but the broker and the lake, so it runs beside the platform or far from it. It only reads; in `coinlake up` and
//! `demo` people also mute coins and acknowledge alerts.
//!
//! - `console`: starts and stops everything below.
//! - `state`: the newest rows, alerts and rejects, held in memory.
//! - `watch`: the background tasks that keep it up to date, from the derived topics and from a survey of the platform.
//! - `history`: the past, from the lake and from records that are not committed yet.
//! - `desk`: what people do about alerts.
//! - `models`: runs, versions and drift, from the model registry.
//! - `shared`: what every request can use of the above.
//! - `names`: finds what coins are called; `currency`: what prices are in.
//! - `api`: the JSON and the live updates that the page asks for, a file for each page.
//! - `http`: routes, the page's own files, and which hosts are served.
//! - `meters`: what the console reports to Prometheus.

mod api;
mod console;
mod currency;
mod desk;
mod history;
mod http;
mod meters;
mod models;
mod names;
mod shared;
mod state;
mod watch;

pub use console::{Console, ConsoleConfig};
pub use desk::{AlertDesk, DeskChange, DeskNotes, Told};
pub use models::ModelsConfig;
pub use watch::{ChainTime, ChainTimes, Market, MarketKind, SourceReport, SourceReports};
