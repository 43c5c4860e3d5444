//! `${{ secrets.NAME }}` in a config's text.
//!
//! A value goes in as YAML: what has a meaning there is quoted or escaped, so that no secret can change the document
//! around it. Which lines hold secrets is remembered, so that errors do not show them.

use std::collections::{BTreeMap, BTreeSet};

use secrecy::{ExposeSecret, SecretString};

use crate::config::error::ConfigError;
use crate::config::secrets::{Secrets, is_name};

const OPEN: &str = "${{";
const CLOSE: &str = "}}";

/// A config with its secrets in place.
pub(super) struct Rendered {
    pub(super) text: String,
    /// Secrets by the line they stand in, counted from 1.
    pub(super) secrets_by_line: BTreeMap<usize, BTreeSet<String>>,
    values: Vec<SecretString>,
}

impl Rendered {
    /// Of a text that has no secrets.
    pub(super) fn plain() -> Self {
        Self {
            text: String::new(),
            secrets_by_line: BTreeMap::new(),
            values: Vec::new(),
        }
    }

    /// The message with every secret replaced.
    pub(super) fn redact(&self, message: &str) -> String {
        let mut redacted = message.to_owned();
        for secret in &self.values {
            let value = secret.expose_secret();
            if value.is_empty() {
                continue;
            }
            // Messages quote what they were given as Rust's `Debug` does.
            let quoted = format!("{value:?}");
            redacted = redacted
                .replace(value, "***")
                .replace(&quoted[1..quoted.len() - 1], "***");
        }
        redacted
    }
}

/// A value as the inside of a double-quoted YAML string.
fn escaped(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for char in value.chars() {
        match char {
            '"' | '\\' => out.extend(['\\', char]),
            ' '..='~' => out.push(char),
            _ => out.push_str(&format!("\\U{:08X}", u32::from(char))),
        }
    }
    out
}

/// The text with `0` in place of every template, to read `meta.secrets` from.
pub(super) fn without_templates(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(open) = rest.find(OPEN) {
        out.push_str(&rest[..open]);
        out.push('0');
        match rest[open..].find(CLOSE) {
            Some(close) => rest = &rest[open + close + CLOSE.len()..],
            None => rest = &rest[open + OPEN.len()..],
        }
    }
    out.push_str(rest);
    out
}

/// Puts the values of the `declared` secrets into the text.
pub(super) fn render(
    text: &str,
    declared: &BTreeSet<String>,
    secrets: &Secrets,
) -> Result<Rendered, ConfigError> {
    let mut rendered = Rendered {
        text: String::with_capacity(text.len()),
        secrets_by_line: BTreeMap::new(),
        values: Vec::new(),
    };
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let line_number = index + 1;
        if line.trim_start().starts_with('#') {
            rendered.text.push_str(line);
            continue;
        }
        let mut rest = line;
        let mut done = 0;
        while let Some(open) = find_template(rest) {
            let (before, template) = rest.split_at(open);
            let (name, after) = secret_name(template)
                .ok_or_else(|| ConfigError::at(line_number, NOT_UNDERSTOOD))?;
            if !declared.contains(name) {
                return Err(ConfigError::at(
                    line_number,
                    format!(
                        "secret {name} is not listed in meta.secrets: add `- name: {name}` there"
                    ),
                ));
            }
            let value = secrets.get(name).ok_or_else(|| {
                ConfigError::at(
                    line_number,
                    format!("secret {name} has no value: {}", secrets.remedy(name)),
                )
            })?;
            rendered.text.push_str(before);
            done += before.len();
            let yaml = as_yaml(&line[..done], value.expose_secret(), after).ok_or_else(|| {
                ConfigError::at(
                    line_number,
                    format!(
                        "secret {name} holds characters with a meaning in YAML: put the whole value into double quotes"
                    ),
                )
            })?;
            rendered.text.push_str(&yaml);
            rendered
                .secrets_by_line
                .entry(line_number)
                .or_default()
                .insert(name.to_owned());
            rendered.values.push(value);
            done += template.len() - after.len();
            rest = after;
        }
        rendered.text.push_str(rest);
    }
    Ok(rendered)
}

const NOT_UNDERSTOOD: &str =
    "only `${{ secrets.NAME }}` is understood here, NAME of ASCII letters, digits and underscores";

fn find_template(line: &str) -> Option<usize> {
    [OPEN, "${%", "${#"]
        .iter()
        .filter_map(|mark| line.find(mark))
        .min()
}

/// The secret a template names, and what follows the template.
fn secret_name(template: &str) -> Option<(&str, &str)> {
    let (expression, after) = template.strip_prefix(OPEN)?.split_once(CLOSE)?;
    let name = expression.trim().strip_prefix("secrets.")?;
    is_name(name).then_some((name, after))
}

/// The value as it must be written between `before` and `after` on one line; `None` when it cannot be.
fn as_yaml(before: &str, value: &str, after: &str) -> Option<String> {
    match quote_open_at_end(before) {
        Some('"') => Some(escaped(value)),
        Some(_) => {
            let printable = value.chars().all(|char| (' '..='~').contains(&char));
            printable.then(|| value.replace('\'', "''"))
        }
        None if is_plain(value) => Some(value.to_owned()),
        None => {
            let starts = before.trim_end().ends_with([':', '-', '[', ',', '{']);
            let after = after.trim_start();
            let ends = after.is_empty() || after.starts_with(['#', ']', ',', '}']);
            (starts && ends).then(|| format!("\"{}\"", escaped(value)))
        }
    }
}

/// The quote a position in a line is inside of.
fn quote_open_at_end(before: &str) -> Option<char> {
    let mut open = None;
    let mut value_may_start = true;
    let mut chars = before.chars();
    while let Some(char) = chars.next() {
        match open {
            Some('"') if char == '\\' => {
                chars.next();
            }
            Some(quote) if char == quote => open = None,
            Some(_) => {}
            None if value_may_start && (char == '"' || char == '\'') => open = Some(char),
            None => {
                if !char.is_whitespace() {
                    value_may_start = matches!(char, ':' | '-' | '[' | ',' | '{');
                }
            }
        }
    }
    open
}

/// Whether a value means itself without quotes, wherever it stands.
fn is_plain(value: &str) -> bool {
    let starts_well =
        value.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '/');
    let is_null = value.eq_ignore_ascii_case("null");
    starts_well
        && !is_null
        && !value.ends_with(':')
        && value
            .chars()
            .all(|char| char.is_ascii_alphanumeric() || "_./+=-:@%".contains(char))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rendered(text: &str, value: &str) -> Result<Rendered, ConfigError> {
        let secrets = Secrets::from_values([("KEY".to_owned(), value.to_owned())]);
        render(text, &BTreeSet::from(["KEY".to_owned()]), &secrets)
    }

    fn parsed(text: &str, value: &str) -> BTreeMap<String, String> {
        serde_saphyr::from_str(&rendered(text, value).unwrap().text).unwrap()
    }

    proptest! {
        #[test]
        fn any_value_arrives_unchanged(value in ".{0,40}", newline in any::<bool>()) {
            let value = if newline { format!("{value}\n{value}") } else { value };
            for text in ["a: ${{ secrets.KEY }}\nb: c\n", "a: \"${{secrets.KEY}}\" # why\nb: c\n"] {
                let parsed = parsed(text, &value);
                prop_assert_eq!(&parsed["a"], &value);
                prop_assert_eq!(&parsed["b"], "c");
            }
        }

        #[test]
        fn single_quotes_take_any_line(value in "[ -~]{0,40}") {
            let text = "a: 'x ${{ secrets.KEY }} y'\n";
            prop_assert_eq!(&parsed(text, &value)["a"], &format!("x {value} y"));
        }
    }

    #[test]
    fn a_value_may_stand_in_the_middle_when_it_is_plain() {
        let text = "a: https://host/${{ secrets.KEY }}/x\n";
        assert_eq!(parsed(text, "abc-1")["a"], "https://host/abc-1/x");
        let error = rendered(text, "a: b").err().unwrap().to_string();
        assert!(
            error.contains("line 1") && error.contains("double quotes"),
            "{error}"
        );
        assert!(!error.contains("a: b"));
    }

    #[test]
    fn comments_are_left_alone() {
        let text = "# a: ${{ secrets.OTHER }}\nb: c\n";
        assert_eq!(rendered(text, "1").unwrap().text, text);
    }

    #[test]
    fn other_templates_are_refused() {
        for text in [
            "a: ${{ env.HOME }}",
            "a: ${{ secrets.KEY",
            "a: ${% if x %}",
            "a: ${{ secrets.1KEY }}",
        ] {
            let error = rendered(text, "1").err().unwrap().to_string();
            assert!(
                error.contains("only `${{ secrets.NAME }}`"),
                "{text}: {error}"
            );
        }
    }

    #[test]
    fn a_message_is_redacted_in_every_spelling() {
        let rendered = rendered("a: ${{ secrets.KEY }}", "hun\"ter\n2").unwrap();
        let message = format!("{:?} {}", "hun\"ter\n2", "hun\"ter\n2");
        assert_eq!(rendered.redact(&message), "\"***\" ***");
    }
}
