//! A synthetic market delivered as CoinGecko delivers its data, faults included.
//!
//! Always true: everything follows from the settings; no clock is read. Prices and events of a coin, and the planned spells of refused,
//! frozen and dated-back replies, do not depend on which faults are switched on.
//!
//! - `market`: the whole; `settings`: what is asked of it; `steps`: its replies, one a poll
//! - `catalogue`: the coins; `price`, `volume`, `events`: what happens to each
//! - `book`: every coin as CoinGecko holds it, `listing` one of them; `past`: what the coins were, for charts
//! - `delivery`, `faults`: caches, frozen and refused replies
//! - `object`, `digits`: a coin as a reply writes it
//! - `random`: the values that are drawn

mod book;
mod catalogue;
mod delivery;
pub(crate) mod digits;
mod events;
mod faults;
mod listing;
mod market;
mod object;
mod past;
mod price;
mod random;
mod settings;
mod steps;
mod volume;

pub use digits::default_digits;
pub use events::{FieldEvent, FieldEventKind};
pub use faults::{Dating, Faults};
pub use market::FieldMarket;
pub(crate) use past::FieldPast;
pub use settings::FieldSettings;
pub use steps::FieldSteps;
