//! The rows of crypto-clean and crypto-features, and how topics hold them.
//!
//! Each row has two readers. The fast one accepts exactly the bytes that this crate writes; whatever differs goes to the
//! general one, which accepts fields in any order and among others. Where the fast one accepts, both give the same row.
//!
//! - [`Clean`]: a clean tick
//! - [`WindowFeatures`]: what the windows that end at a tick say
//! - [`Features`]: both together
//! - [`Numbers`]: the numeric fields of a row, by [`Field`]
//! - [`FeaturesRecord`]: what a reader of crypto-features needs, some of the fields by a [`FieldSet`]

mod clean;
mod exact;
mod features;
mod fields;
mod numbers;
mod windows;

pub use clean::Clean;
pub use features::{Features, FeaturesRecord};
pub use numbers::{Field, FieldSet, Numbers};
pub use windows::{FEATURES_VERSION, WindowFeatures};

pub(crate) use clean::CleanRecord;
pub(crate) use fields::BACKFILLED;
#[cfg(test)]
pub(crate) use fields::EVENT_TIME_MAX;
