//! Markets to replay: recordings, a synthetic market with known truth, and the HTTP server that answers from them as
//! CoinGecko does.
//!
//! - [`Recording`] reads a Parquet file, [`SyntheticMarket`] invents ten coins, [`FieldMarket`] hundreds that are delivered as
//!   CoinGecko delivers; a [`Market`] is any of them.
//! - A market is a sequence of [`Step`]s: one step is what one poll of `/coins/markets` returns.
//! - [`ReplayServer`] serves the steps, one a poll, from the [`Position`] where an earlier run stopped, or when a clock says
//!   that their time has come.
//! - [`FieldEvent`] is what the field market hides in its data, [`Injected`] is what the synthetic market hides in its data, [`Quality`] measures how much of it was found.

mod chart;
mod coin;
mod error;
mod feed;
mod field;
mod market;
mod position;
mod quote;
mod random;
mod recording;
mod refusal;
mod reply;
mod resume;
mod rows;
mod server;
mod speed;
mod step;
mod synthetic;
mod truth;

pub use crate::error::{RecordingError, ReplayError};
pub use crate::field::{
    Dating, Faults, FieldEvent, FieldEventKind, FieldMarket, FieldSettings, FieldSteps,
    default_digits,
};
pub use crate::market::{Market, Steps};
pub use crate::position::{PartitionOf, Position, PositionError, Tail};
pub use crate::recording::Recording;
pub use crate::refusal::Refusal;
pub use crate::server::{Progress, ReplayServer};
pub use crate::speed::{Now, Speed};
pub use crate::step::{Element, Step};
pub use crate::synthetic::SyntheticMarket;
pub use crate::truth::{Injected, InjectedKind, Quality};
