//! A configuration that was checked.
//!
//! Always true: a [`StagePlan`] is only made from a configuration without problems, and making it does no I/O.

use connector_runtime::config::Transform;
use lake::LakeUrl;

use super::check::{ConfigProblems, check};
use super::settings::{Accept, Destination, Layer, Limits, STATUS_NONE, StageConfig};

/// What a stage does.
#[derive(Debug, Clone)]
pub struct StagePlan {
    /// The connector's name.
    pub name: String,
    /// The lake's address, with its options.
    pub lake: LakeUrl,
    /// The field whose value chooses a destination.
    pub route_by: Option<String>,
    /// Routing values that are counted and dropped, `none` included.
    pub ignore: Vec<String>,
    /// The input is another stage's output: its records have a `source_offset` and may be duplicates.
    pub derived: bool,
    /// What the SmartModule remembers; `None` for a module without state.
    pub state: Option<StatePlan>,
    /// In the order of the configuration.
    pub destinations: Vec<Destination>,
    /// When to cut.
    pub limits: Limits,
    /// Changes of the input that the operator accepts on this start.
    pub accept: Accept,
    /// The SmartModules, in order. Empty: the stage lands the topic's own records.
    pub transforms: Vec<Transform>,
}

/// What recovery must know about a module's state.
#[derive(Debug, Clone)]
pub struct StatePlan {
    /// How far the module remembers, in milliseconds of event time.
    pub horizon_ms: i64,
    /// The output field with the event time.
    pub time_field: String,
}

impl StagePlan {
    /// Checks a configuration.
    ///
    /// # Errors
    /// All problems at once.
    pub fn new(config: &StageConfig) -> Result<Self, ConfigProblems> {
        let lake = check(config)?;
        let settings = &config.settings;
        let mut ignore = settings.ignore.clone();
        ignore.push(STATUS_NONE.to_owned());
        Ok(Self {
            name: config.meta.name.clone(),
            lake,
            route_by: settings.route_by.clone(),
            ignore,
            derived: settings.derived,
            state: settings.state.as_ref().map(|state| StatePlan {
                horizon_ms: state.horizon.as_millis() as i64,
                time_field: state.time_field.clone(),
            }),
            destinations: settings.destinations.clone(),
            limits: settings.limits.clone(),
            accept: settings.accept,
            transforms: config.transforms.clone(),
        })
    }

    /// The tables of the destinations, the main table first.
    pub fn layers(&self) -> impl Iterator<Item = &Layer> {
        self.destinations
            .iter()
            .filter_map(|destination| destination.layer.as_ref())
    }

    /// The output topics of the destinations, each with its destination.
    pub fn topics(&self) -> impl Iterator<Item = (&Destination, &str)> {
        self.destinations
            .iter()
            .filter_map(|destination| Some((destination, destination.topic.as_deref()?)))
    }

    /// Whether the stage itself drops duplicates of a derived topic. With SmartModules, they do.
    pub fn drops_duplicates(&self) -> bool {
        self.derived && self.transforms.is_empty()
    }
}
