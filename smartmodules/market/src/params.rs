//! Parameters of a module: checked when it starts, all of them known.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::time::Duration;

/// The longest lateness anyone may allow: memory grows with it.
const LATENESS_MAX: Duration = Duration::from_secs(31 * 24 * 60 * 60);

/// A parameter that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParamError {
    /// Its value means nothing.
    #[error("parameter `{name}` is \"{value}\": give {expected}")]
    Bad {
        /// The parameter.
        name: &'static str,
        /// What was given.
        value: String,
        /// What it may be.
        expected: String,
    },
    /// No such parameter.
    #[error("unknown parameter `{name}`: remove it, or use one of {known}")]
    Unknown {
        /// What was given.
        name: String,
        /// What there is.
        known: String,
    },
}

/// Parameters by name, as a SmartModule gets them; taken one by one, and none may be left.
#[derive(Debug, Clone, Default)]
pub struct Params {
    given: BTreeMap<String, String>,
    known: Vec<&'static str>,
}

impl Params {
    /// These.
    pub fn new<N: Into<String>, V: Into<String>>(given: impl IntoIterator<Item = (N, V)>) -> Self {
        Self {
            given: given
                .into_iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
            known: Vec::new(),
        }
    }

    /// Takes the value of `name`, if it was given.
    ///
    /// # Errors
    ///
    /// [`ParamError::Bad`] when `read` makes nothing of it.
    pub fn take<T>(
        &mut self,
        name: &'static str,
        expected: impl Display,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, ParamError> {
        self.known.push(name);
        let Some(value) = self.given.remove(name) else {
            return Ok(None);
        };
        match read(value.trim()) {
            Some(read) => Ok(Some(read)),
            None => Err(ParamError::Bad {
                name,
                value,
                expected: expected.to_string(),
            }),
        }
    }

    /// Takes a duration such as `60m` and gives milliseconds.
    ///
    /// # Errors
    ///
    /// [`ParamError::Bad`] when it is none, or longer than 31 days.
    pub fn take_lateness_ms(&mut self, name: &'static str) -> Result<Option<i64>, ParamError> {
        self.take(
            name,
            "a duration up to 31 days, such as `60m` or `1h 30m`",
            |value| {
                let duration = humantime::parse_duration(value).ok()?;
                (duration <= LATENESS_MAX).then(|| i64::try_from(duration.as_millis()).ok())?
            },
        )
    }

    /// Takes a number above zero.
    ///
    /// # Errors
    ///
    /// [`ParamError::Bad`] when it is none.
    pub fn take_positive(&mut self, name: &'static str) -> Result<Option<f64>, ParamError> {
        self.take(name, "a number above 0, such as `3`", |value| {
            let number: f64 = value.parse().ok()?;
            (number > 0.0 && number.is_finite()).then_some(number)
        })
    }

    /// Takes `emit`; `statuses` are what it may be besides `all`, the default first.
    ///
    /// # Errors
    ///
    /// [`ParamError::Bad`] when it is something else.
    pub fn take_emit(&mut self, statuses: &[(&str, &'static str)]) -> Result<Emit, ParamError> {
        let names: Vec<_> = statuses
            .iter()
            .map(|(name, _)| format!("`{name}`"))
            .collect();
        let expected = format!("{} or `all`", names.join(", "));
        let emit = self.take("emit", expected, |value| match value {
            "all" => Some(Emit::All),
            value => statuses
                .iter()
                .find(|(name, _)| *name == value)
                .map(|(_, status)| Emit::Only(status)),
        })?;
        Ok(emit.unwrap_or(Emit::Only(statuses[0].1)))
    }

    /// Refuses what was given and never taken.
    ///
    /// # Errors
    ///
    /// [`ParamError::Unknown`] for the first such.
    pub fn finish(self) -> Result<(), ParamError> {
        match self.given.into_keys().next() {
            None => Ok(()),
            Some(name) => {
                let known: Vec<_> = self.known.iter().map(|name| format!("`{name}`")).collect();
                Err(ParamError::Unknown {
                    name,
                    known: known.join(", "),
                })
            }
        }
    }
}

/// What a module answers with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Emit {
    /// Only outputs of this status, for people.
    Only(&'static str),
    /// One output per input, for a stage.
    All,
}

impl Emit {
    /// Whether an output of this status is to be given.
    pub fn wants(self, status: &str) -> bool {
        match self {
            Self::Only(wanted) => wanted == status,
            Self::All => true,
        }
    }
}
