//! What the operator writes, and the checked plan made of it.
//!
//! - `settings` is the `parquet` section of the configuration file; parsing checks its shape.
//! - `check` finds every problem in it, each named by its key.
//! - `plan` is a configuration without problems.
//! - `share` says which partitions one of several copies of a stage takes.

mod check;
mod plan;
mod settings;
mod share;

pub use check::{ConfigProblems, FILE_SIZE_MIN, KEEP_MIN};
pub use plan::{StagePlan, StatePlan};
pub use settings::{
    Accept, Column, ColumnType, DATE_COLUMN, Destination, LINEAGE_COLUMNS, Layer, Limits,
    ParquetSettings, RecordPart, SECTION, STATUS_NONE, StageConfig, StateSettings,
};
pub use share::Share;
