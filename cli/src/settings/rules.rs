//! The user's alert rules: those of `coinlake.yaml`, or a JSON list of their own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use connector_runtime::config::{Parameter, YamlFile};
use market::Rules;

use super::find::{Found, default_data_dir};
use super::problems::{Problems, SettingsProblems};

/// The key below `alerts`.
pub(super) const RULES: &str = "rules";

/// The rules of a file.
pub(crate) struct RulesFile {
    pub(crate) rules: Rules,
    /// The data directory that they are for.
    pub(crate) data: PathBuf,
}

impl RulesFile {
    /// Reads a JSON list of rules, or a `coinlake.yaml` with some.
    ///
    /// # Errors
    /// With everything that is wrong with the rules, or when there are none.
    pub(crate) fn read(path: &Path) -> Result<Self, SettingsProblems> {
        let file = YamlFile::read(path)?;
        if file.text().trim_start().starts_with('[') {
            let mut problems = Problems::new(Some(&file));
            let rules = check_rules(file.text().trim(), &mut problems);
            problems.none()?;
            return Ok(Self {
                rules: rules.unwrap_or_default(),
                data: default_data_dir(),
            });
        }
        let found = Found::read(Some(path))?;
        let mut problems = Problems::new(found.file.as_ref());
        let rules = match found.settings.alerts.get(RULES) {
            Some(Parameter(text)) => check_rules(text, &mut problems),
            None => {
                problems.report(
                    "alerts",
                    "alerts.rules is missing: there is nothing to check",
                );
                None
            }
        };
        problems.none()?;
        Ok(Self {
            rules: rules.unwrap_or_default(),
            data: found.data(),
        })
    }
}

/// The rules of the section `alerts`; none where there is something to report.
pub(super) fn rules(alerts: &BTreeMap<String, Parameter>, problems: &mut Problems<'_>) -> Rules {
    let rules = alerts.get(RULES);
    let rules = rules.and_then(|Parameter(text)| check_rules(text, problems));
    rules.unwrap_or_default()
}

/// Reads rules as crypto-anomaly will read them, and reports everything that is wrong.
fn check_rules(text: &str, problems: &mut Problems<'_>) -> Option<Rules> {
    let key = format!("alerts.{RULES}");
    match Rules::parse(text) {
        Ok(rules) => Some(rules),
        Err(error) => {
            for problem in error.0 {
                problems.report_item(&key, problem.name.as_deref(), problem.to_string());
            }
            None
        }
    }
}
