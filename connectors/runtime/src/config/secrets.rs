//! Secrets: values that are never printed.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use secrecy::{ExposeSecret, SecretString};

/// Where the values of the secrets in a config come from.
#[derive(Clone)]
pub struct Secrets(Source);

#[derive(Clone)]
enum Source {
    Environment,
    Values {
        origin: String,
        values: BTreeMap<String, SecretString>,
    },
}

impl Secrets {
    /// From environment variables of the secrets' names, each read when a config uses it.
    pub fn from_env() -> Self {
        Self(Source::Environment)
    }

    /// From a file of `NAME=value` lines; blank lines and lines that start with `#` don't count.
    pub fn from_file(path: &Path) -> Result<Self, SecretsError> {
        let origin = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|err| SecretsError::Unreadable {
            path: origin.clone(),
            reason: err.to_string(),
        })?;
        let mut values = BTreeMap::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            // Refused: a name that no setting asks for, such as `export NAME`, and what the environment does not take.
            let named = line
                .split_once('=')
                .map(|(name, value)| (name.trim(), value.trim()))
                .filter(|(name, value)| is_name(name) && !value.contains('\0'));
            let Some((name, value)) = named else {
                // Not the line itself: it may be a secret without its name.
                return Err(SecretsError::NotNameValue {
                    path: origin,
                    line: index + 1,
                });
            };
            values.insert(name.to_owned(), value.into());
        }
        Ok(Self(Source::Values { origin, values }))
    }

    /// From values at hand.
    pub fn from_values(values: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(Source::Values {
            origin: "the given values".to_owned(),
            values: values
                .into_iter()
                .map(|(name, value)| (name, value.into()))
                .collect(),
        })
    }

    /// No secrets at all.
    pub fn none() -> Self {
        Self::from_values([])
    }

    /// The secret of that name, if there is one.
    pub fn get(&self, name: &str) -> Option<SecretString> {
        match &self.0 {
            Source::Environment => std::env::var(name).ok().map(SecretString::from),
            Source::Values { values, .. } => values.get(name).cloned(),
        }
    }

    /// Every secret of a file or of values at hand, by name. Of the environment: none, because not all of it is secret.
    pub fn into_values(self) -> Vec<(String, String)> {
        match self.0 {
            Source::Environment => Vec::new(),
            Source::Values { values, .. } => values
                .into_iter()
                .map(|(name, value)| (name, value.expose_secret().to_owned()))
                .collect(),
        }
    }

    /// How to give a secret that is not there a value.
    pub fn remedy(&self, name: &str) -> String {
        match &self.0 {
            Source::Environment => {
                format!(
                    "set the environment variable {name}, or name a secrets file with --secrets"
                )
            }
            Source::Values { origin, .. } => format!("add a line {name}=VALUE to {origin}"),
        }
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Source::Environment => f.write_str("Secrets(environment)"),
            Source::Values { origin, values } => f
                .debug_tuple("Secrets")
                .field(origin)
                .field(&values.keys().collect::<Vec<_>>())
                .finish(),
        }
    }
}

/// Why a secrets file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    /// It cannot be opened.
    #[error("the secrets file {path} cannot be read: {reason}")]
    Unreadable {
        /// The file.
        path: String,
        /// What the system said.
        reason: String,
    },
    /// A line has no `=`, another name than a variable may have, or a NUL.
    #[error(
        "line {line} of the secrets file {path} is not NAME=value: a name is letters, digits and underscores, begins with \
         no digit and has nothing before it; a value has no NUL"
    )]
    NotNameValue {
        /// The file.
        path: String,
        /// The line, from 1.
        line: usize,
    },
}

/// Whether a secret may have this name: ASCII letters, digits and underscores, not beginning with a digit.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name
            .chars()
            .all(|char| char.is_ascii_alphanumeric() || char == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> Result<Secrets, SecretsError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secrets.txt");
        std::fs::write(&path, text).unwrap();
        Secrets::from_file(&path)
    }

    #[test]
    fn a_file_holds_names_and_values() {
        let secrets = file("# keys\n\nA=1\n B = two=2 \n").unwrap();
        assert_eq!(secrets.get("A").unwrap().expose_secret(), "1");
        assert_eq!(secrets.get("B").unwrap().expose_secret(), "two=2");
        assert!(secrets.get("C").is_none());
    }

    #[test]
    fn a_bad_line_is_named_and_not_shown() {
        let message = file("A=1\nhunter2\n").unwrap_err().to_string();
        assert!(
            message.starts_with("line 2 of the secrets file"),
            "{message}"
        );
        assert!(!message.contains("hunter2"));
    }

    #[test]
    fn nothing_prints_a_value() {
        let secrets = file("A=hunter2").unwrap();
        let secret = secrets.get("A").unwrap();
        let printed = format!("{secrets:?} {secret:?} {:?}", Some(&secret));
        assert!(!printed.contains("hunter2"), "{printed}");
    }
}
