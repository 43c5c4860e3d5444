//! Parameters of a module, checked when it starts; unknown ones are refused.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::time::Duration;

/// The longest lateness allowed: memory grows with it.
const LATENESS_MAX: Duration = Duration::from_secs(31 * 24 * 60 * 60);

/// A parameter that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParamError {
    /// The value is not accepted.
    #[error("parameter `{name}` is \"{value}\": give {expected}")]
    Bad {
        /// The parameter's name.
        name: &'static str,
        /// The value given.
        value: String,
        /// The values accepted.
        expected: String,
    },
    /// The value is not accepted, which has been explained.
    #[error("parameter `{name}`: {problems}")]
    Refused {
        /// The parameter's name.
        name: &'static str,
        /// All that is wrong with the value.
        problems: String,
    },
    /// The module has no such parameter.
    #[error("unknown parameter `{name}`: remove it, or use one of {known}")]
    Unknown {
        /// The name given.
        name: String,
        /// The parameters that the module has.
        known: String,
    },
}

/// Parameters by name, as a SmartModule gets them. A module takes those it knows; [`Params::finish`] refuses the rest.
///
/// ```
/// use market::Params;
///
/// let mut params = Params::new([("price_zscore", "4")]);
/// assert_eq!(params.take_positive("price_zscore")?, Some(4.0));
/// params.finish()?;
/// # Ok::<_, market::ParamError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Params {
    given: BTreeMap<String, String>,
    known: Vec<&'static str>,
}

impl Params {
    /// From names and values.
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
    /// [`ParamError::Bad`] when `read` rejects the value.
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

    /// Takes a value whose reader says itself what is wrong with it.
    ///
    /// # Errors
    ///
    /// [`ParamError::Refused`] when `read` rejects the value.
    pub fn take_checked<T, E: Display>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<Option<T>, ParamError> {
        self.known.push(name);
        let value = self.given.remove(name);
        let read = value.map(|value| read(value.trim())).transpose();
        read.map_err(|error| ParamError::Refused {
            name,
            problems: error.to_string(),
        })
    }

    /// Takes a duration such as `60m`, in milliseconds.
    ///
    /// # Errors
    ///
    /// [`ParamError::Bad`] for another value, or one over 31 days.
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
    /// [`ParamError::Bad`] for another value.
    pub fn take_positive(&mut self, name: &'static str) -> Result<Option<f64>, ParamError> {
        self.take(name, "a number above 0, such as `3`", |value| {
            let number: f64 = value.parse().ok()?;
            (number > 0.0 && number.is_finite()).then_some(number)
        })
    }

    /// Takes `emit`. `statuses` are the values besides `all`, the default first, each with the status it stands for.
    ///
    /// # Errors
    ///
    /// [`ParamError::Bad`] for another value.
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

    /// Refuses parameters that were given but never taken.
    ///
    /// # Errors
    ///
    /// [`ParamError::Unknown`] for the first of them.
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

/// Which outputs a module writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Emit {
    /// Only outputs of this status, for people at the command line.
    Only(&'static str),
    /// Exactly one output for every input, for a stage.
    All,
}

impl Emit {
    /// Whether to write an output of this status.
    pub fn wants(self, status: &str) -> bool {
        match self {
            Self::Only(wanted) => wanted == status,
            Self::All => true,
        }
    }
}
