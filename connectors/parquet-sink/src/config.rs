//! The `parquet` section of a stage's configuration file, as written by the operator.
//!
//! Always true: parsing only checks the shape (unknown keys are refused); [`crate::plan::StagePlan`] checks the meaning,
//! without touching the world, and reports every problem at once.

use std::collections::BTreeMap;
use std::time::Duration;

use bytesize::ByteSize;
use connector_runtime::config::ConnectorConfig;
use secrecy::SecretString;
use serde::Deserialize;

use crate::share::Share;

/// The whole configuration file of a stage.
pub type StageConfig = ConnectorConfig<ParquetSettings>;

/// The name of this connector's section in the configuration file.
pub const SECTION: &str = "parquet";

/// The `parquet` section.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParquetSettings {
    /// Where the lake is: a local folder, or `s3://bucket/prefix`, `gs://…`, `az://…` (and `hdfs://…` when built with the
    /// feature `hdfs`). A relative folder is taken from the working directory.
    pub lake: String,
    /// Options of the object store, e.g. `aws_region`, `aws_access_key_id: ${{ secrets.KEY }}`. They win over the
    /// environment (`AWS_…`, `GOOGLE_…`, `AZURE_…`). Never printed.
    #[serde(default)]
    pub options: BTreeMap<String, SecretString>,
    /// The field of an output whose value chooses its destination. Without it everything goes to the one destination.
    pub route_by: Option<String>,
    /// Values of `route_by` that are dropped. `none` always is: modules answer it when they have nothing to say.
    #[serde(default)]
    pub ignore: Vec<String>,
    /// The input topic is another stage's output: records that came late and twice, whose `source_offset` is not above the
    /// greatest so far, are to be ignored. A stage without `transforms` does so itself. A SmartModule does too, and a restarted
    /// one is shown the record with the greatest `source_offset` first; one with `state` sees it anyway.
    #[serde(default)]
    pub derived: bool,
    /// What the SmartModule remembers. Leave it out for a module that looks at one record at a time.
    pub state: Option<StateSettings>,
    /// Where outputs go. The first one with a layer has the **main layer**: its files are the stage's commits.
    pub destinations: Vec<Destination>,
    /// When files are closed and committed.
    #[serde(default)]
    pub limits: Limits,
    /// What the operator accepts on this start; command line flags, not part of the file.
    #[serde(skip)]
    pub accept: Accept,
    /// Which of the partitions are this process's; a command line flag, so that all copies have one file.
    #[serde(skip)]
    pub share: Share,
}

/// What a SmartModule needs to see again after a restart, to be in the state it was in.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StateSettings {
    /// How far the module remembers, in event time behind the newest one, e.g. `60m`. Too long costs time after a
    /// restart; too short makes outputs differ from those of an uninterrupted run.
    #[serde(with = "humantime_serde")]
    pub horizon: Duration,
    /// The output field with the event time, in milliseconds since the epoch.
    pub time_field: String,
}

/// Where the outputs of one kind go: a layer, a topic, or both.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Destination {
    /// The value of `route_by` that comes here.
    pub when: Option<String>,
    /// Outputs are appended to this topic, unchanged, partition by partition, as soon as they are there. Created with the
    /// input's partition count when it does not exist. The stage must be its only writer.
    pub topic: Option<String>,
    /// Outputs become rows of this layer.
    pub layer: Option<Layer>,
}

/// One table of the lake: `LAKE/<name>/date=…/….parquet`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layer {
    /// Its folder.
    pub name: String,
    /// The column whose day (UTC) is the `date=` folder of a file, taken from the file's first row.
    pub date: String,
    /// Raise it when the columns change; it stands in every file's footer.
    #[serde(default = "one")]
    pub schema_version: u32,
    /// The columns, in order. `_topic`, `_partition` and `_offset` of the input record are added.
    pub columns: Vec<Column>,
}

/// One column of a layer.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// Its name, and that of the JSON field it is taken from (unless `from` says otherwise).
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: ColumnType,
    /// Whether a value may be absent or null. An absent value in a column that is not nullable stops the stage.
    #[serde(default = "yes")]
    pub nullable: bool,
    /// Write a bloom filter: for keys that people look up.
    #[serde(default)]
    pub bloom: bool,
    /// Take the record's own key, value or timestamp instead of a JSON field.
    pub from: Option<RecordPart>,
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ColumnType {
    /// Text. Bytes that are not UTF-8 (only possible with `from`) become U+FFFD; take `binary` to keep them.
    String,
    /// Bytes; only with `from`.
    Binary,
    /// 64-bit integer.
    Int64,
    /// 64-bit floating point.
    Float64,
    /// `true` or `false`.
    Bool,
    /// Milliseconds since the epoch, UTC. In JSON an integer or an RFC 3339 string.
    Timestamp,
    /// A list of strings, none of them null.
    Strings,
}

/// A part of the record that is not inside its JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RecordPart {
    /// The key.
    Key,
    /// The whole value.
    Value,
    /// The timestamp its producer gave it. SmartModules lose it: only for a stage without `transforms`.
    Timestamp,
}

/// When files are closed and committed: whichever comes first. A record of a later day than its file does it too.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Rows in one file.
    pub rows_max: u64,
    /// Size of one file, compressed. The file is built in memory and written in one piece.
    pub bytes_max: ByteSize,
    /// Age of the oldest row that is not committed yet. A stage without any row to write commits its progress after
    /// 100,000 inputs or an hour.
    #[serde(with = "humantime_serde")]
    pub interval: Duration,
    /// What all partitions of this stage may hold in memory together, in files being built and outputs on their way.
    pub memory_max: ByteSize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            rows_max: 1_000_000,
            bytes_max: ByteSize::mib(64),
            interval: Duration::from_secs(60),
            memory_max: ByteSize::mib(256),
        }
    }
}

/// Changes of the input that a stage only goes along with when told to. Each is the way out that one refusal names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::Args)]
pub struct Accept {
    /// The input topic was deleted and made anew: start at its beginning. Older files stay.
    #[arg(long = "accept-recreated-topic")]
    pub recreated_topic: bool,
    /// Records that were not landed yet are gone from the input topic: go on with the oldest that is left.
    #[arg(long = "accept-lost-records")]
    pub lost_records: bool,
    /// The input topic has another number of partitions than before.
    #[arg(long = "accept-partition-count")]
    pub partition_count: bool,
}

fn one() -> u32 {
    1
}

fn yes() -> bool {
    true
}
