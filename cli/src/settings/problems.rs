//! What is wrong with the settings, all of it at once.

use std::fmt;

use connector_runtime::config::{ConfigError, YamlFile};

/// Everything that is wrong with the settings, each with its place.
#[derive(Debug)]
pub(crate) struct SettingsProblems(pub(crate) Vec<ConfigError>);

impl fmt::Display for SettingsProblems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let problems: Vec<_> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&problems.join("; "))
    }
}

impl std::error::Error for SettingsProblems {}

impl From<ConfigError> for SettingsProblems {
    fn from(problem: ConfigError) -> Self {
        Self(vec![problem])
    }
}

/// Collects what is wrong.
pub(super) struct Problems<'a> {
    /// The file that the settings come from, if there is one.
    file: Option<&'a YamlFile>,
    found: Vec<ConfigError>,
}

impl<'a> Problems<'a> {
    pub(super) fn new(file: Option<&'a YamlFile>) -> Self {
        let found = Vec::new();
        Self { file, found }
    }

    /// `key` is the path of the key, such as `coingecko.top`, for the line.
    pub(super) fn report(&mut self, key: &str, problem: impl Into<String>) {
        self.found.push(match self.file {
            Some(file) => file.invalid(key, problem),
            None => ConfigError::Invalid {
                file: None,
                line: None,
                problem: problem.into(),
            },
        });
    }

    /// Like [`Self::report`], for an item of a list: its line is the first with this word.
    pub(super) fn report_item(&mut self, key: &str, word: Option<&str>, problem: String) {
        match (self.file, word) {
            (Some(file), Some(word)) => self.found.push(file.invalid_item(key, word, problem)),
            _ => self.report(key, problem),
        }
    }

    /// Keeps a value; reports an error, which then stands for it.
    pub(super) fn keep<T, E: fmt::Display>(&mut self, key: &str, value: Result<T, E>) -> Option<T> {
        value
            .map_err(|error| self.report(key, format!("{error:#}")))
            .ok()
    }

    /// # Errors
    /// When anything was reported.
    pub(super) fn none(self) -> Result<(), SettingsProblems> {
        match self.found.is_empty() {
            true => Ok(()),
            false => Err(SettingsProblems(self.found)),
        }
    }
}
