//! A configuration that has been understood.
//!
//! Always true: a [`StagePlan`] is only made from a valid configuration, and making it does no I/O. Everything that is
//! wrong is said at once, each problem naming its key.

use std::collections::HashSet;
use std::fmt;
use std::time::Duration;

use connector_runtime::config::Transform;

use crate::config::{
    Accept, Column, ColumnType, Destination, Layer, Limits, ParquetSettings, RecordPart,
    StageConfig,
};
use lake::LakeUrl;

/// Columns every layer has: where a row comes from.
pub const LINEAGE_COLUMNS: [&str; 3] = ["_topic", "_partition", "_offset"];
/// The value of the routing field that means "nothing to say about this input".
pub const STATUS_NONE: &str = "none";
/// S3, GCS and Azure take at most this much in one put.
const SINGLE_PUT_BYTES_MAX: u64 = 5 << 30;

/// What a stage does, checked.
#[derive(Debug, Clone)]
pub struct StagePlan {
    /// The connector's name.
    pub name: String,
    /// Where the lake is.
    pub lake: LakeUrl,
    /// The field that routes.
    pub route_by: Option<String>,
    /// Routing values that are counted and dropped, `none` included.
    pub ignore: Vec<String>,
    /// Records of the input say what they were made from, and may come twice.
    pub derived: bool,
    /// What the module remembers; `None`: nothing.
    pub state: Option<StatePlan>,
    /// In the order of the configuration.
    pub destinations: Vec<DestinationPlan>,
    /// When to cut.
    pub limits: Limits,
    /// What the operator accepts on this start.
    pub accept: Accept,
    /// SmartModules, in order. Empty: the topic's own records.
    pub transforms: Vec<Transform>,
}

/// The state of a module, as far as recovery must know it.
#[derive(Debug, Clone)]
pub struct StatePlan {
    /// In milliseconds of event time.
    pub horizon_ms: i64,
    /// The output field with the event time.
    pub time_field: String,
}

/// One destination, checked.
#[derive(Debug, Clone)]
pub struct DestinationPlan {
    /// The routing value that comes here; `None`: everything.
    pub when: Option<String>,
    /// Outputs go to this topic.
    pub topic: Option<String>,
    /// Outputs go to this layer.
    pub layer: Option<Layer>,
}

impl DestinationPlan {
    /// How people call it.
    pub fn label(&self) -> &str {
        match (&self.when, &self.layer, &self.topic) {
            (Some(when), ..) => when,
            (None, Some(layer), _) => &layer.name,
            (None, None, Some(topic)) => topic,
            (None, None, None) => "nowhere",
        }
    }
}

/// Everything that is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigProblems {
    stage: String,
    problems: Vec<String>,
}

impl ConfigProblems {
    /// Each problem as `key: what is wrong`.
    pub fn list(&self) -> &[String] {
        &self.problems
    }
}

impl fmt::Display for ConfigProblems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the configuration of {} does not work:", self.stage)?;
        for problem in &self.problems {
            write!(f, "\n  {problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigProblems {}

impl StagePlan {
    /// Checks the configuration.
    ///
    /// # Errors
    /// All problems at once.
    pub fn new(config: &StageConfig) -> Result<Self, ConfigProblems> {
        let settings = &config.settings;
        let has_modules = !config.transforms.is_empty();
        let mut check = Check::default();
        let lake = check.lake(settings);
        check.transforms(&config.transforms);
        check.routing(settings, &config.meta.topic.name, has_modules);
        check.state(settings, &config.transforms);
        check.layers(settings, has_modules);
        check.limits(&settings.limits);
        match lake {
            Some(lake) if check.problems.is_empty() => Ok(Self {
                name: config.meta.name.clone(),
                lake,
                route_by: settings.route_by.clone(),
                ignore: ignored(settings),
                derived: settings.derived,
                state: settings.state.as_ref().map(|state| StatePlan {
                    horizon_ms: state.horizon.as_millis() as i64,
                    time_field: state.time_field.clone(),
                }),
                destinations: settings.destinations.iter().map(destination).collect(),
                limits: settings.limits.clone(),
                accept: settings.accept,
                transforms: config.transforms.clone(),
            }),
            _ => Err(ConfigProblems {
                stage: config.meta.name.clone(),
                problems: check.problems,
            }),
        }
    }

    /// Destinations with a layer, the main one first, each with its index among all destinations.
    pub fn layers(&self) -> impl Iterator<Item = (usize, &Layer)> {
        self.destinations
            .iter()
            .enumerate()
            .filter_map(|(i, d)| d.layer.as_ref().map(|layer| (i, layer)))
    }

    /// Whether the stage itself tells doubles from other records; SmartModules do it for theirs.
    pub fn ignores_doubles(&self) -> bool {
        self.derived && self.transforms.is_empty()
    }

    /// Destinations with a topic, each with its index among all destinations.
    pub fn topics(&self) -> impl Iterator<Item = (usize, &str)> {
        self.destinations
            .iter()
            .enumerate()
            .filter_map(|(i, d)| d.topic.as_deref().map(|topic| (i, topic)))
    }
}

fn ignored(settings: &ParquetSettings) -> Vec<String> {
    let mut ignore = settings.ignore.clone();
    ignore.push(STATUS_NONE.to_owned());
    ignore
}

fn destination(destination: &Destination) -> DestinationPlan {
    DestinationPlan {
        when: destination.when.clone(),
        topic: destination.topic.clone(),
        layer: destination.layer.clone(),
    }
}

#[derive(Default)]
struct Check {
    problems: Vec<String>,
}

impl Check {
    fn say(&mut self, key: impl fmt::Display, what: impl fmt::Display) {
        self.problems.push(format!("{key}: {what}"));
    }

    fn lake(&mut self, settings: &ParquetSettings) -> Option<LakeUrl> {
        let url = match LakeUrl::parse(&settings.lake) {
            Ok(url) => url,
            Err(what) => {
                self.say("parquet.lake", what);
                return None;
            }
        };
        for option in settings.options.keys() {
            if !url.knows_option(option) {
                self.say(
                    format_args!("parquet.options.{option}"),
                    format_args!("unknown to {} stores", url.scheme()),
                );
            }
        }
        let options = settings.options.iter();
        Some(url.with_options(options.map(|(k, v)| (k.clone(), v.clone()))))
    }

    fn transforms(&mut self, transforms: &[Transform]) {
        for transform in transforms.iter().filter(|t| t.lookback.is_some()) {
            self.say(
                format_args!("transforms.{}.lookback", transform.uses),
                "a stage rebuilds a module's state from its resume offset; remove it",
            );
        }
    }

    fn routing(&mut self, settings: &ParquetSettings, input: &str, has_modules: bool) {
        if settings.destinations.is_empty() {
            self.say("parquet.destinations", "there must be at least one");
        } else if settings.destinations.iter().all(|d| d.layer.is_none()) {
            self.say(
                "parquet.destinations",
                "one needs a layer: its files are the stage's commits",
            );
        }
        if settings.route_by.is_none() && settings.destinations.len() > 1 {
            self.say(
                "parquet.route_by",
                "several destinations need a field that chooses between them",
            );
        }
        if settings.route_by.is_none() && !settings.ignore.is_empty() {
            self.say("parquet.ignore", "has no meaning without parquet.route_by");
        }
        let mut whens = HashSet::new();
        let mut topics = HashSet::new();
        for (i, destination) in settings.destinations.iter().enumerate() {
            let key = format!("parquet.destinations[{i}]");
            match (&destination.when, &settings.route_by) {
                (Some(_), None) => {
                    self.say(
                        format_args!("{key}.when"),
                        "has no meaning without parquet.route_by",
                    );
                }
                (None, Some(route_by)) => {
                    self.say(
                        format_args!("{key}.when"),
                        format_args!("say which value of `{route_by}` comes here"),
                    );
                }
                (Some(when), Some(_)) => {
                    if !whens.insert(when) {
                        self.say(
                            format_args!("{key}.when"),
                            format_args!("`{when}` has a destination already"),
                        );
                    }
                    if when == STATUS_NONE || settings.ignore.contains(when) {
                        self.say(
                            format_args!("{key}.when"),
                            format_args!("`{when}` is dropped, nothing of it could arrive"),
                        );
                    }
                }
                (None, None) => {}
            }
            if destination.topic.is_none() && destination.layer.is_none() {
                self.say(&key, "needs a layer, a topic, or both");
            }
            if let Some(topic) = &destination.topic {
                if !has_modules {
                    self.say(
                        format_args!("{key}.topic"),
                        "needs transforms: a module writes the `source_offset` by which a restart knows what is there",
                    );
                }
                if topic == input {
                    self.say(
                        format_args!("{key}.topic"),
                        format_args!("`{topic}` is the stage's own input"),
                    );
                }
                if !topics.insert(topic) {
                    self.say(
                        format_args!("{key}.topic"),
                        format_args!("`{topic}` already belongs to another destination"),
                    );
                }
            }
        }
    }

    fn state(&mut self, settings: &ParquetSettings, transforms: &[Transform]) {
        let Some(state) = &settings.state else { return };
        if transforms.is_empty() {
            self.say("parquet.state", "has no meaning without transforms");
        }
        if state.horizon.is_zero() || state.horizon > Duration::from_secs(366 * 86_400) {
            self.say(
                "parquet.state.horizon",
                "must be above zero and at most a year",
            );
        }
        if state.time_field.is_empty() {
            self.say(
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
                self.say(
                    format_args!("{key}.name"),
                    format_args!(
                        "`{}` cannot be a folder's name: letters, digits, - and _, beginning with a letter or digit",
                        layer.name
                    ),
                );
            }
            if !names.insert(&layer.name) {
                self.say(
                    format_args!("{key}.name"),
                    format_args!("`{}` already belongs to another destination", layer.name),
                );
            }
            self.columns(&key, layer, has_modules);
        }
    }

    fn columns(&mut self, key: &str, layer: &Layer, has_modules: bool) {
        match layer.columns.iter().find(|c| c.name == layer.date) {
            Some(date) if date.kind != ColumnType::Timestamp => self.say(
                format_args!("{key}.date"),
                format_args!("column `{}` must have type timestamp", layer.date),
            ),
            Some(_) => {}
            None => self.say(
                format_args!("{key}.date"),
                format_args!("`{}` is not one of the layer's columns", layer.date),
            ),
        }
        let mut names = HashSet::new();
        for column in &layer.columns {
            let key = format!("{key}.columns.{}", column.name);
            if column.name.is_empty() {
                self.say(&key, "a column needs a name");
            }
            if LINEAGE_COLUMNS.contains(&column.name.as_str()) {
                self.say(&key, "every layer has this column anyway");
            }
            if !names.insert(&column.name) {
                self.say(&key, "there are two columns of this name");
            }
            if let Some(what) = column_problem(column, has_modules) {
                self.say(&key, what);
            }
        }
    }

    fn limits(&mut self, limits: &Limits) {
        if limits.rows_max == 0 {
            self.say("parquet.limits.rows_max", "must be at least 1");
        }
        let bytes_max = limits.bytes_max.as_u64();
        if bytes_max == 0 || bytes_max > SINGLE_PUT_BYTES_MAX {
            self.say(
                "parquet.limits.bytes_max",
                "must be above zero and at most 5 GiB, what object stores take in one piece",
            );
        }
        if limits.interval.is_zero() {
            self.say("parquet.limits.interval", "must be above zero");
        }
        if limits.memory_max.as_u64() < 16 << 20 {
            self.say("parquet.limits.memory_max", "must be at least 16 MiB");
        }
    }
}

fn column_problem(column: &Column, has_modules: bool) -> Option<&'static str> {
    use ColumnType::{Binary, Bool, Float64, Strings, Timestamp};
    match (column.from, column.kind) {
        (None, Binary) => return Some("type binary needs `from: key` or `from: value`"),
        (Some(RecordPart::Timestamp), _) if has_modules => {
            return Some("SmartModules lose the record's timestamp; take a field of the output");
        }
        (Some(RecordPart::Timestamp), kind) if kind != Timestamp => {
            return Some("`from: timestamp` has type timestamp");
        }
        (Some(RecordPart::Key | RecordPart::Value), kind)
            if !matches!(kind, ColumnType::String | Binary) =>
        {
            return Some("`from: key` and `from: value` have type string or binary");
        }
        _ => {}
    }
    if column.bloom && matches!(column.kind, Bool | Float64 | Strings) {
        return Some("a bloom filter is for keys: string, binary, int64 or timestamp");
    }
    None
}
