//! Cleaning: each raw record becomes a clean tick or is rejected with a reason.
//!
//! - [`Cleaner`] decides, and remembers which ticks it has seen
//! - [`Tick`] is a coin object of CoinGecko, parsed and checked
//! - [`Rejected`] is a refusal, with its [`Reason`]

mod cleaner;
mod reject;
mod tick;

pub use cleaner::{CleanParams, Cleaner};
pub use reject::{Reason, Rejected};
pub use tick::{TICK_BYTES_MAX, Tick};
