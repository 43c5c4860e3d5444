//! The web console.
//!
//! * [`Console`] goes on looking and serves what it sees as a web page: it follows the derived topics (`follow`) into a
//!   market (`market`) and its alerts (`alerts`), watches the platform (`flow`), reads the past from the lake
//!   (`history`, `recent`), asks the model registry (`models`), and lets people browse topics and lake (`browse`). `live`
//!   sends what is new to the pages, `guard` keeps strangers and foreign scripts out, `meters` counts.
//!
//! Always true: it only reads, and needs nothing but the broker and the lake, so it runs beside the platform or away from
//! it.

mod alerts;
mod answer;
mod assets;
mod browse;
mod flow;
mod follow;
mod guard;
mod history;
mod live;
mod market;
mod meters;
mod models;
mod points;
mod recent;
mod server;

pub use flow::{ChainTime, ChainTimes};
pub use models::ModelsConfig;
pub use server::{Console, ConsoleConfig};
