//! The shipped stages, with the user's commit interval and thresholds.

use std::collections::BTreeMap;

use bytesize::ByteSize;
use connector_runtime::config::Parameter;
use market::names::smartmodule;
use market::{AnomalyParams, ParamError, Params};
use parquet_sink::StageConfig;
use parquet_sink::config::{FILE_SIZE_MIN, KEEP_MIN, Layer};

use super::file::Settings;
use super::problems::Problems;
use super::rules::RULES;
use crate::assets;

/// The parameter that a stage sets itself.
const EMIT: &str = "emit";
/// The parameter that goes with the source.
const CURRENCY: &str = "currency";

/// The stages, in the order the data takes, without the lake's address.
pub(super) fn stages(
    settings: &Settings,
    currency: &str,
    problems: &mut Problems<'_>,
) -> Vec<StageConfig> {
    let mut alerts = alert_params(&settings.alerts, problems);
    alerts.insert(CURRENCY.to_owned(), currency.to_owned());
    let mut stages = problems
        .keep("commit_interval", assets::stages())
        .unwrap_or_default();
    for stage in &mut stages {
        if let Some(interval) = settings.commit_interval {
            stage.settings.limits.interval = interval.0;
        }
        for transform in &mut stage.transforms {
            if transform.uses == smartmodule::ANOMALY {
                transform.with.extend(alerts.clone());
            }
        }
    }
    tables(settings, &mut stages, problems);
    if settings.commit_interval.is_some_and(|it| it.0.is_zero()) {
        problems.report(
            "commit_interval",
            "commit_interval is 0: set a duration such as 60s",
        );
    }
    stages
}

/// Applies the settings of tables to the layers of the stages.
fn tables(settings: &Settings, stages: &mut [StageConfig], problems: &mut Problems<'_>) {
    let destinations = stages
        .iter_mut()
        .flat_map(|stage| &mut stage.settings.destinations);
    let mut layers: Vec<&mut Layer> = destinations.filter_map(|to| to.layer.as_mut()).collect();
    for (name, table) in &settings.tables {
        let Some(layer) = layers.iter_mut().find(|layer| layer.name == *name) else {
            let known: Vec<&str> = layers.iter().map(|layer| layer.name.as_str()).collect();
            let known = known.join(", ");
            let key = format!("tables.{name}");
            problems.report(
                &key,
                format!("there is no table `{name}`; there are {known}"),
            );
            continue;
        };
        let Some(table) = table else { continue };
        layer.keep = table.keep.map(|keep| keep.0);
        layer.file_size = table.file_size.map(|size| ByteSize(size.0));
        if layer.keep.is_some_and(|keep| keep < KEEP_MIN) {
            let key = format!("tables.{name}.keep");
            problems.report(
                &key,
                format!("`{key}` must be at least 1d: rows are removed by whole days"),
            );
        }
        if layer.file_size.is_some_and(|size| size < FILE_SIZE_MIN) {
            let key = format!("tables.{name}.file_size");
            problems.report(&key, format!("`{key}` must be at least 1 MiB"));
        }
    }
}

/// The parameters, each read as the SmartModule will read it.
fn alert_params(
    given: &BTreeMap<String, Parameter>,
    problems: &mut Problems<'_>,
) -> BTreeMap<String, String> {
    let mut params = BTreeMap::new();
    for (name, value) in given {
        let Parameter(value) = value;
        // Checked in `rules`: the receivers need them too.
        if name == RULES {
            params.insert(name.clone(), value.clone());
            continue;
        }
        let key = format!("alerts.{name}");
        let elsewhere = match &**name {
            EMIT => Some("is the stage's to set: remove it"),
            CURRENCY => Some("is what `coingecko.vs_currency` says: set that"),
            _ => None,
        };
        if let Some(remedy) = elsewhere {
            problems.report(&key, format!("`{key}` {remedy}"));
            continue;
        }
        match AnomalyParams::parse(Params::new([(name, value)])) {
            Ok(_) => {
                params.insert(name.clone(), value.clone());
            }
            Err(ParamError::Unknown { known, .. }) => {
                let known = known.replace('`', "");
                let known: Vec<_> = known
                    .split(", ")
                    .filter(|it| ![EMIT, CURRENCY].contains(it))
                    .collect();
                problems.report(
                    &key,
                    format!("unknown key `{key}`; known here: {}", known.join(", ")),
                );
            }
            Err(ParamError::Bad { expected, .. }) => {
                problems.report(&key, format!("`{key}` is `{value}`: expected {expected}"));
            }
            Err(refused @ ParamError::Refused { .. }) => {
                problems.report(&key, refused.to_string());
            }
        }
    }
    params
}
