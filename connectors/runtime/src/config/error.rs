//! What is wrong with a configuration file, in one sentence with the place and the remedy.

use std::fmt;
use std::path::Path;

use serde_saphyr::Error as YamlError;

use crate::config::render::Rendered;
use crate::config::secrets::SecretsError;

/// What is wrong with a configuration file.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be opened.
    #[error("the config {path} cannot be read: {reason}")]
    Unreadable {
        /// The file.
        path: String,
        /// What the system said.
        reason: String,
    },
    /// The secrets file cannot be used.
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    /// A part of it does not say what it should.
    #[error("{}{problem}", Place(.file, .line))]
    Invalid {
        /// The file, where there is one.
        file: Option<String>,
        /// The line, from 1, where it is known.
        line: Option<usize>,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// `meta.consumer.partition` names one the topic does not have.
    #[error(
        "meta.consumer.partition names partition {partition}, but the topic has {count}, counted from 0: use `all` or \
         numbers below {count}"
    )]
    NoSuchPartition {
        /// The one that is missing.
        partition: u32,
        /// How many there are.
        count: u32,
    },
}

impl ConfigError {
    pub(super) fn at(line: usize, problem: impl Into<String>) -> Self {
        Self::Invalid {
            file: None,
            line: Some(line),
            problem: problem.into(),
        }
    }

    pub(super) fn in_file(self, path: &Path) -> Self {
        match self {
            Self::Invalid { line, problem, .. } => Self::Invalid {
                file: Some(path.display().to_string()),
                line,
                problem,
            },
            other => other,
        }
    }
}

struct Place<'a>(&'a Option<String>, &'a Option<usize>);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0, self.1) {
            (Some(file), Some(line)) => write!(f, "{file}, line {line}: "),
            (Some(file), None) => write!(f, "{file}: "),
            (None, Some(line)) => write!(f, "line {line}: "),
            (None, None) => Ok(()),
        }
    }
}

/// A config's text, before and after rendering; line by line the same.
pub(super) struct Source<'a> {
    pub(super) text: &'a str,
    pub(super) rendered: &'a Rendered,
}

impl Source<'_> {
    /// The parser's error as a sentence of ours, without a secret in it.
    pub(super) fn explain(&self, err: &YamlError) -> ConfigError {
        let err = err.without_snippet();
        let line = err
            .location()
            .and_then(|location| usize::try_from(location.line()).ok())
            .filter(|line| *line > 0)
            .or_else(|| line_of(self.text, unknown_top_level_key(err)?));
        let path = line.and_then(|line| key_path(self.text, line));
        let named = |fallback: &str| match &path {
            Some(path) => format!("`{path}`"),
            None => fallback.to_owned(),
        };
        let secrets = line.and_then(|line| self.rendered.secrets_by_line.get(&line));
        let problem = match (err, secrets) {
            (err, Some(names)) => {
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                format!(
                    "{}, made from secret {}, is not what is expected there{}",
                    named("a value"),
                    names.join(", "),
                    expected(err)
                )
            }
            (
                YamlError::SerdeUnknownField {
                    field, expected, ..
                },
                None,
            ) => {
                let place = match &path {
                    Some(path) if path.ends_with(field.as_str()) => path.clone(),
                    _ => field.clone(),
                };
                format!("unknown key `{place}`; known here: {}", expected.join(", "))
            }
            (YamlError::SerdeMissingField { field, .. }, None) => {
                format!("`{field}` is missing at {}", named("the top level"))
            }
            (
                YamlError::SerdeInvalidType { unexpected, .. }
                | YamlError::SerdeInvalidValue { unexpected, .. },
                None,
            ) => format!("{} is {unexpected}{}", named("a value"), expected(err)),
            (YamlError::SerdeUnknownVariant { variant, .. }, None) => {
                format!("{} is `{variant}`{}", named("a value"), expected(err))
            }
            (YamlError::InvalidScalar { .. }, None) => {
                let value = line.and_then(|line| value_on(self.text, line));
                let value = value.map_or("something else".to_owned(), |it| format!("`{it}`"));
                format!("{} is {value}{}", named("a value"), expected(err))
            }
            (YamlError::Unexpected { .. }, None) => {
                format!("{} has another form{}", named("the config"), expected(err))
            }
            (YamlError::Message { msg, .. }, None) if unknown_top_level_key(err).is_some() => {
                msg.clone()
            }
            (YamlError::Message { msg, .. }, None) => format!("{}: {msg}", named("the config")),
            (YamlError::DuplicateMappingKey { key: Some(key), .. }, None) => {
                format!("key `{key}` stands there twice: remove one")
            }
            (other, None) => format!("not valid YAML: {}", first_line(&other.to_string())),
        };
        ConfigError::Invalid {
            file: None,
            line,
            problem: self.rendered.redact(&problem),
        }
    }
}

/// What would have been right, from the error's static parts.
fn expected(err: &YamlError) -> String {
    match err {
        YamlError::SerdeInvalidType { expected, .. }
        | YamlError::SerdeInvalidValue { expected, .. } => format!(": expected {expected}"),
        YamlError::SerdeUnknownVariant { expected, .. } => {
            format!(": expected one of {}", expected.join(", "))
        }
        YamlError::InvalidScalar { ty, .. } => {
            let kind = match ty.as_bytes().first() {
                Some(b'u') => "a whole number, not negative",
                Some(b'i') => "a whole number",
                Some(b'f') => "a number",
                _ => ty,
            };
            format!(": expected {kind}")
        }
        YamlError::Unexpected { expected, .. } => {
            let kind = match *expected {
                "string scalar" => "a single value",
                "mapping start" => "keys with values",
                "sequence start" => "a list",
                other => other,
            };
            format!(": expected {kind}")
        }
        _ => String::new(),
    }
}

/// The message of our own for a key that no section has.
fn unknown_top_level_key(err: &YamlError) -> Option<&str> {
    match err {
        YamlError::Message { msg, .. } => msg.strip_prefix("unknown key `")?.split('`').next(),
        _ => None,
    }
}

/// The parser adds advice for programmers on further lines, and the place, which we have already.
fn first_line(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default();
    match line.rfind(" at line ") {
        Some(end) => line[..end].to_owned(),
        None => line.to_owned(),
    }
}

/// The line a key stands on, for errors that no value was read for.
pub(super) fn line_of(text: &str, key: &str) -> Option<usize> {
    text.lines()
        .position(|line| key_on(line).is_some_and(|(_, found)| found == key))
        .map(|index| index + 1)
}

/// The key a line belongs to, with the keys around it: `meta.producer.linger`.
fn key_path(text: &str, line: usize) -> Option<String> {
    let lines: Vec<&str> = text.lines().take(line).collect();
    let (mut indent, key) = lines.iter().rev().find_map(|line| key_on(line))?;
    let mut path = vec![key];
    for line in lines.iter().rev() {
        if let Some((outer, key)) = key_on(line)
            && outer < indent
        {
            path.push(key);
            indent = outer;
        }
    }
    path.reverse();
    Some(path.join("."))
}

/// What a line says behind its key.
fn value_on(text: &str, line: usize) -> Option<&str> {
    let line = text.lines().nth(line.checked_sub(1)?)?;
    key_on(line)?;
    let value = line.split_once(':')?.1.trim();
    (!value.is_empty()).then_some(value)
}

/// The key a line begins with and how far it is indented, a list's dash included.
fn key_on(line: &str) -> Option<(usize, &str)> {
    let inner = line.trim_start_matches([' ', '-']);
    if inner.starts_with('#') {
        return None;
    }
    let key = inner.split(':').next()?;
    let is_key = inner.len() > key.len()
        && !key.is_empty()
        && key
            .chars()
            .all(|char| char.is_ascii_alphanumeric() || "_-.".contains(char));
    is_key.then_some((line.len() - inner.len(), key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_knows_the_keys_around_it() {
        let text = "meta:\n  name: x\n  # why\n  producer:\n    linger: 1\ntransforms:\n  - uses: a\n    with:\n      b: c\n";
        let path = |line| key_path(text, line).unwrap();
        assert_eq!(path(2), "meta.name");
        assert_eq!(path(5), "meta.producer.linger");
        assert_eq!(path(7), "transforms.uses");
        assert_eq!(path(9), "transforms.with.b");
        assert_eq!(line_of(text, "producer"), Some(4));
        assert_eq!(line_of(text, "nothing"), None);
    }
}
