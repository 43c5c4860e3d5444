//! The `parquet` section of a stage's configuration file.
//!
//! Always true: parsing checks the shape only (unknown keys are refused); `StagePlan::new` checks the meaning.

use std::collections::BTreeMap;
use std::time::Duration;

use bytesize::ByteSize;
use connector_runtime::config::ConnectorConfig;
use connector_runtime::kubernetes::Pod;
use secrecy::SecretString;
use serde::Deserialize;

use super::share::Share;

/// The whole configuration file of a stage.
pub type StageConfig = ConnectorConfig<ParquetSettings>;

/// The name of this connector's section in the configuration file.
pub const SECTION: &str = "parquet";

/// Columns that every table has besides the configured ones, with their comments: the input record that a row comes from.
pub const LINEAGE_COLUMNS: [(&str, &str); 3] = [
    ("source_topic", "The topic of the input record."),
    ("source_partition", "Its partition."),
    ("source_offset", "Its offset there."),
];
/// The column that a table is partitioned by. No file has it.
pub const DATE_COLUMN: &str = "date";
/// The routing value of an output with nothing to say about its input; always ignored.
pub const STATUS_NONE: &str = "none";

/// The `parquet` section.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParquetSettings {
    /// Where the lake is: a local folder, or `s3://bucket/prefix`, `gs://…`, `az://…` or `hdfs://…`. A relative folder is
    /// relative to the working directory.
    pub lake: String,
    /// Options of the object store, such as `aws_region` or `aws_access_key_id: ${{ secrets.KEY }}`. They win over the
    /// environment (`AWS_…`, `GOOGLE_…`, `AZURE_…`). Never printed.
    #[serde(default)]
    pub options: BTreeMap<String, SecretString>,
    /// The field of an output whose value chooses its destination. Without it, everything goes to the one destination.
    pub route_by: Option<String>,
    /// Values of `route_by` that are dropped. `none` always is: modules use it for an input without a result.
    #[serde(default)]
    pub ignore: Vec<String>,
    /// The input topic is another stage's output, so it can hold duplicates: records whose `source_offset` is not above
    /// the greatest before them. Without `transforms`, the stage drops them. With `transforms`, the SmartModule must drop
    /// them; after a restart the stage shows it the record with the greatest `source_offset` first.
    #[serde(default)]
    pub derived: bool,
    /// What the SmartModule remembers. Omit it for a module that looks at one record at a time.
    pub state: Option<StateSettings>,
    /// Where outputs go. The first one with a layer has the **main table**, whose log entries are the stage's commits.
    pub destinations: Vec<Destination>,
    /// When files are closed and committed.
    #[serde(default)]
    pub limits: Limits,
    /// Changes of the input that the operator accepts on this start. Command line flags, not part of the file.
    #[serde(skip)]
    pub accept: Accept,
    /// The partitions that this process takes. A command line flag, so that all copies of a stage have the same file.
    #[serde(skip)]
    pub share: Share,
    /// The pod whose number among its StatefulSet's pods says which partitions it takes, in the place of `share`. A command line
    /// flag.
    #[serde(skip)]
    pub pod: Option<Pod>,
}

/// What a SmartModule must see again after a restart to have its state back.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StateSettings {
    /// How far the module remembers, in event time before the newest, such as `60m`. Too long makes restarts slower; too
    /// short makes outputs differ from those of an uninterrupted run.
    #[serde(with = "humantime_serde")]
    pub horizon: Duration,
    /// The output field with the event time, in milliseconds since the epoch.
    pub time_field: String,
}

/// Where the outputs of one kind go: a table, a topic, or both.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Destination {
    /// The value of `route_by` that comes here. Required with `route_by`.
    pub when: Option<String>,
    /// Outputs are appended to this topic at once, unchanged, to the partition of their input. It is created with the
    /// input's partition count if it does not exist. The stage must be its only writer.
    pub topic: Option<String>,
    /// Outputs become rows of this table of the lake.
    pub layer: Option<Layer>,
}

impl Destination {
    /// Its name in metrics and messages: the routing value, or the layer or topic when nothing routes.
    pub fn label(&self) -> &str {
        match (&self.when, &self.layer, &self.topic) {
            (Some(when), ..) => when,
            (None, Some(layer), _) => &layer.name,
            (None, None, Some(topic)) => topic,
            (None, None, None) => "nowhere",
        }
    }
}

/// One Delta table of the lake, at `LAKE/<name>`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layer {
    /// The name of its folder in the lake.
    pub name: String,
    /// The timestamp column whose day (UTC) is a row's `date`, by which the table is partitioned.
    pub date: String,
    /// What a row is, in a sentence. It becomes the table's comment.
    pub comment: Option<String>,
    /// How long rows are kept, such as `90d`, at least `1d`: upkeep removes whole days that are older, counted from the
    /// table's newest file. Omit it to keep everything. The stage only notes this in the table; `coinlake up` or `coinlake lake upkeep` does it.
    #[serde(default, with = "humantime_serde")]
    pub keep: Option<Duration>,
    /// The size of the files that upkeep makes of small ones, at least `1MiB`. Default `128MiB`.
    pub file_size: Option<ByteSize>,
    /// The columns, in order. The stage adds `source_topic`, `source_partition` and `source_offset` of the input record. A
    /// nullable column may be added later: older rows have null there. Other changes of a table are refused.
    pub columns: Vec<Column>,
}

/// One column of a table.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// The name of the column, and of the JSON field it is taken from unless `from` is set.
    pub name: String,
    /// The type of its values.
    #[serde(rename = "type")]
    pub kind: ColumnType,
    /// Whether a value may be absent or null. In a column that is not nullable, such a value stops the stage.
    #[serde(default = "yes")]
    pub nullable: bool,
    /// Write a bloom filter, which makes looking up a key fast.
    #[serde(default)]
    pub bloom: bool,
    /// Take the record's own key, value or timestamp instead of a JSON field.
    pub from: Option<RecordPart>,
    /// What its values mean, with their unit or formula. It becomes the column's comment in the table.
    pub comment: Option<String>,
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ColumnType {
    /// Text. With `from`, bytes that are not UTF-8 become U+FFFD; use `binary` to keep them.
    String,
    /// Bytes; only with `from`.
    Binary,
    /// 64-bit integer.
    Int64,
    /// 64-bit floating point.
    Float64,
    /// `true` or `false`.
    Bool,
    /// A time in UTC, with microseconds. In JSON: milliseconds since the epoch, or an RFC 3339 string.
    Timestamp,
    /// A list of strings, none of them null.
    Strings,
}

/// A part of the record besides the fields of its JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RecordPart {
    /// The key.
    Key,
    /// The whole value.
    Value,
    /// The producer's timestamp. SmartModules drop it, so it is only for a stage without `transforms`.
    Timestamp,
}

/// When a commit is made: whichever limit is reached first.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Rows of one table.
    pub rows_max: u64,
    /// Compressed size of one table's files, of which there is one a date. A file is built in memory and written in one
    /// piece.
    pub bytes_max: ByteSize,
    /// Age of the oldest uncommitted row. A stage without rows commits its progress after 100,000 inputs or an hour.
    #[serde(with = "humantime_serde")]
    pub interval: Duration,
    /// Memory of all partitions of this stage together, for files being built and outputs waiting for their topic.
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

/// Changes of the input topic that a stage refuses unless the operator accepts them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::Args)]
pub struct Accept {
    /// Accept that the input topic was deleted and recreated: start at its beginning. Older files stay.
    #[arg(long = "accept-recreated-topic")]
    pub recreated_topic: bool,
    /// Accept that the input topic has lost records that were not landed yet: resume at the oldest that is left.
    #[arg(long = "accept-lost-records")]
    pub lost_records: bool,
    /// Accept that the number of partitions of the input topic has changed.
    #[arg(long = "accept-partition-count")]
    pub partition_count: bool,
}

fn yes() -> bool {
    true
}
