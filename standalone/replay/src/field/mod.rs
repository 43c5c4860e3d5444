//! A synthetic market delivered as CoinGecko delivers its data, faults included.
//!
//! Always true: everything follows from the settings; nothing else, no clock, is asked. The market itself (`price`,
//! `volume`, `events`, `catalogue`) does not depend on how it is delivered (`delivery`, `faults`), and a fault that is
//! switched off leaves the others as they are.

mod catalogue;
mod delivery;
pub(crate) mod digits;
mod events;
mod faults;
mod listing;
mod market;
mod object;
mod price;
mod random;
mod settings;
mod steps;
mod volume;

pub use digits::default_digits;
pub use events::{FieldEvent, FieldEventKind};
pub use faults::{Dating, Faults};
pub use market::FieldMarket;
pub use settings::FieldSettings;
pub use steps::FieldSteps;
