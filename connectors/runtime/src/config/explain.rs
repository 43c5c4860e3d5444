//! A parser's error as one sentence in the words of a configuration.

use serde_saphyr::Error as YamlError;

use crate::config::error::ConfigError;
use crate::config::lines::{key_path, line_of, value_on};
use crate::config::render::Rendered;

/// The error in our words, without a secret in it. `text` is the config before rendering, which keeps its lines.
pub(super) fn explain(text: &str, rendered: &Rendered, err: &YamlError) -> ConfigError {
    let err = err.without_snippet();
    let line = err
        .location()
        .and_then(|location| usize::try_from(location.line()).ok())
        .filter(|line| *line > 0)
        .or_else(|| line_of(text, unknown_top_level_key(err)?));
    let path = line.and_then(|line| key_path(text, line));
    let named = |fallback: &str| match &path {
        Some(path) => format!("`{path}`"),
        None => fallback.to_owned(),
    };
    let secrets = line.and_then(|line| rendered.secrets_by_line.get(&line));
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
            let value = line.and_then(|line| value_on(text, line));
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
        problem: rendered.redact(&problem),
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
