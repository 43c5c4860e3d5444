//! Finds every problem of a configuration, without I/O.
//!
//! Always true: each problem names its key, and all are reported at once.

use std::collections::HashSet;
use std::fmt;
use std::time::Duration;

use bytesize::ByteSize;
use connector_runtime::config::Transform;
use lake::LakeUrl;

use super::settings::{
    Column, ColumnType, DATE_COLUMN, Destination, LINEAGE_COLUMNS, Layer, Limits, ParquetSettings,
    RecordPart, STATUS_NONE, StageConfig,
};

/// The least time that rows can be kept: they go by whole days.
pub const KEEP_MIN: Duration = Duration::from_secs(86_400);
/// The least size of the files that upkeep makes.
pub const FILE_SIZE_MIN: ByteSize = ByteSize::mib(1);

/// S3, GCS and Azure take at most this much in one put.
const SINGLE_PUT_BYTES_MAX: u64 = 5 << 30;

/// All problems of a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigProblems {
    stage: String,
    problems: Vec<String>,
}

impl ConfigProblems {
    /// Each problem as `key: problem`.
    pub fn list(&self) -> &[String] {
        &self.problems
    }
}

impl fmt::Display for ConfigProblems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the configuration of {} has problems:", self.stage)?;
        for problem in &self.problems {
            write!(f, "\n  {problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigProblems {}

/// Checks a configuration; returns the lake's address, which parsing it found.
pub(super) fn check(config: &StageConfig) -> Result<LakeUrl, ConfigProblems> {
    let settings = &config.settings;
    let has_modules = !config.transforms.is_empty();
    let mut check = Check::default();
    let lake = check.lake(settings);
    check.transforms(&config.transforms);
    check.routing(settings, &config.meta.topic.name, has_modules);
    check.state(settings, has_modules);
    check.layers(settings, has_modules);
    check.limits(&settings.limits);
    match lake {
        Some(lake) if check.problems.is_empty() => Ok(lake),
        _ => Err(ConfigProblems {
            stage: config.meta.name.clone(),
            problems: check.problems,
        }),
    }
}

#[derive(Default)]
struct Check {
    problems: Vec<String>,
}

impl Check {
    fn report(&mut self, key: impl fmt::Display, problem: impl fmt::Display) {
        self.problems.push(format!("{key}: {problem}"));
    }

    fn lake(&mut self, settings: &ParquetSettings) -> Option<LakeUrl> {
        let url = match LakeUrl::parse(&settings.lake) {
            Ok(url) => url,
            Err(problem) => {
                self.report("parquet.lake", problem);
                return None;
            }
        };
        for option in settings.options.keys() {
            if !url.knows_option(option) {
                self.report(
                    format_args!("parquet.options.{option}"),
                    format_args!("a {} store has no such option", url.scheme()),
                );
            }
        }
        let options = settings.options.iter();
        Some(url.with_options(options.map(|(name, value)| (name.clone(), value.clone()))))
    }

    fn transforms(&mut self, transforms: &[Transform]) {
        for transform in transforms
            .iter()
            .filter(|transform| transform.lookback.is_some())
        {
            self.report(
                format_args!("transforms.{}.lookback", transform.uses),
                "remove it: a stage rebuilds a module's state from its resume offset",
            );
        }
    }

    fn routing(&mut self, settings: &ParquetSettings, input: &str, has_modules: bool) {
        let destinations = &settings.destinations;
        if destinations.is_empty() {
            self.report("parquet.destinations", "add at least one");
        } else if destinations
            .iter()
            .all(|destination| destination.layer.is_none())
        {
            self.report(
                "parquet.destinations",
                "one needs a layer: the log of its table has the stage's commits",
            );
        }
        if settings.route_by.is_none() && destinations.len() > 1 {
            self.report(
                "parquet.route_by",
                "name the field that chooses between the destinations",
            );
        }
        if settings.route_by.is_none() && !settings.ignore.is_empty() {
            self.report("parquet.ignore", "has no effect without parquet.route_by");
        }
        let mut whens = HashSet::new();
        let mut topics = HashSet::new();
        for (i, destination) in destinations.iter().enumerate() {
            let key = format!("parquet.destinations[{i}]");
            if destination.topic.is_none() && destination.layer.is_none() {
                self.report(&key, "needs a layer, a topic, or both");
            }
            self.when(&key, destination, settings, &mut whens);
            if let Some(topic) = &destination.topic {
                let key = format!("{key}.topic");
                if !has_modules {
                    self.report(
                        &key,
                        "needs transforms: a SmartModule writes the `source_offset` that a restart resumes from",
                    );
                }
                if topic == input {
                    self.report(&key, format_args!("`{topic}` is the stage's own input"));
                }
                if !topics.insert(topic) {
                    self.report(
                        &key,
                        format_args!("`{topic}` already belongs to another destination"),
                    );
                }
            }
        }
    }

    fn when<'a>(
        &mut self,
        key: &str,
        destination: &'a Destination,
        settings: &ParquetSettings,
        whens: &mut HashSet<&'a String>,
    ) {
        let key = format!("{key}.when");
        match (&destination.when, &settings.route_by) {
            (Some(_), None) => self.report(&key, "has no effect without parquet.route_by"),
            (None, Some(route_by)) => {
                let problem = format_args!("name the value of `{route_by}` that comes here");
                self.report(&key, problem);
            }
            (Some(when), Some(_)) => {
                if !whens.insert(when) {
                    self.report(&key, format_args!("`{when}` already has a destination"));
                }
                if when == STATUS_NONE || settings.ignore.contains(when) {
                    self.report(
                        &key,
                        format_args!("`{when}` is ignored, so nothing would arrive here"),
                    );
                }
            }
            (None, None) => {}
        }
    }

    fn state(&mut self, settings: &ParquetSettings, has_modules: bool) {
        let Some(state) = &settings.state else { return };
        if !has_modules {
            self.report("parquet.state", "has no effect without transforms");
        }
        if state.horizon.is_zero() || state.horizon > Duration::from_secs(366 * 86_400) {
            self.report(
                "parquet.state.horizon",
                "must be above zero and at most 366 days",
            );
        }
        if state.time_field.is_empty() {
            self.report(
                "parquet.state.time_field",
                "name the field with the event time",
            );
        }
    }

    fn layers(&mut self, settings: &ParquetSettings, has_modules: bool) {
        let mut names = HashSet::new();
        for (i, destination) in settings.destinations.iter().enumerate() {
            let Some(layer) = &destination.layer else {
                continue;
            };
            let key = format!("parquet.destinations[{i}].layer");
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            if layer.name.is_empty()
                || layer.name.starts_with(['-', '_'])
                || !layer.name.chars().all(plain)
            {
                self.report(
                    format_args!("{key}.name"),
                    format_args!(
                        "`{}` is not a valid folder name: use letters, digits, - and _, and begin with a letter or digit",
                        layer.name
                    ),
                );
            }
            if !names.insert(&layer.name) {
                self.report(
                    format_args!("{key}.name"),
                    format_args!("`{}` already belongs to another destination", layer.name),
                );
            }
            if layer.keep.is_some_and(|keep| keep < KEEP_MIN) {
                self.report(
                    format_args!("{key}.keep"),
                    "must be at least 1d: rows go by whole days",
                );
            }
            if layer.file_size.is_some_and(|size| size < FILE_SIZE_MIN) {
                self.report(format_args!("{key}.file_size"), "must be at least 1 MiB");
            }
            self.columns(&key, layer, has_modules);
        }
    }

    fn columns(&mut self, key: &str, layer: &Layer, has_modules: bool) {
        match layer
            .columns
            .iter()
            .find(|column| column.name == layer.date)
        {
            Some(date) if date.kind != ColumnType::Timestamp => self.report(
                format_args!("{key}.date"),
                format_args!("column `{}` must have type timestamp", layer.date),
            ),
            Some(_) => {}
            None => self.report(
                format_args!("{key}.date"),
                format_args!("`{}` is not one of the table's columns", layer.date),
            ),
        }
        let mut names = HashSet::new();
        for column in &layer.columns {
            let key = format!("{key}.columns.{}", column.name);
            if column.name.is_empty() {
                self.report(&key, "a column needs a name");
            }
            // Spark, DuckDB and others do not tell names apart by case.
            let name = column.name.to_lowercase();
            if name == DATE_COLUMN {
                self.report(
                    &key,
                    "rename it: every table is partitioned by a column of this name",
                );
            }
            if LINEAGE_COLUMNS.iter().any(|(lineage, _)| *lineage == name) {
                self.report(
                    &key,
                    "rename it: every table has a column of this name already",
                );
            }
            if !names.insert(name) {
                self.report(
                    &key,
                    "two columns have this name, or names that differ only in case",
                );
            }
            if let Some(problem) = column_problem(column, has_modules) {
                self.report(&key, problem);
            }
        }
    }

    fn limits(&mut self, limits: &Limits) {
        if limits.rows_max == 0 {
            self.report("parquet.limits.rows_max", "must be at least 1");
        }
        let bytes_max = limits.bytes_max.as_u64();
        if bytes_max == 0 || bytes_max > SINGLE_PUT_BYTES_MAX {
            self.report(
                "parquet.limits.bytes_max",
                "must be above zero and at most 5 GiB, the most that object stores take in one put",
            );
        }
        if limits.interval.is_zero() {
            self.report("parquet.limits.interval", "must be above zero");
        }
        if limits.memory_max.as_u64() < 16 << 20 {
            self.report("parquet.limits.memory_max", "must be at least 16 MiB");
        }
    }
}

fn column_problem(column: &Column, has_modules: bool) -> Option<&'static str> {
    use ColumnType::{Binary, Bool, Float64, Strings, Timestamp};
    match (column.from, column.kind) {
        (None, Binary) => return Some("type binary needs `from: key` or `from: value`"),
        (Some(RecordPart::Timestamp), _) if has_modules => {
            return Some("SmartModules drop the record's timestamp; take a field of the output");
        }
        (Some(RecordPart::Timestamp), kind) if kind != Timestamp => {
            return Some("`from: timestamp` needs type timestamp");
        }
        (Some(RecordPart::Key | RecordPart::Value), kind)
            if !matches!(kind, ColumnType::String | Binary) =>
        {
            return Some("`from: key` and `from: value` need type string or binary");
        }
        _ => {}
    }
    if column.bloom && matches!(column.kind, Bool | Float64 | Strings) {
        return Some("a bloom filter needs type string, binary, int64 or timestamp");
    }
    None
}
