//! A list of rules as JSON.

use std::fmt;
use std::time::Duration;

use serde_json::{Map, Value};

use super::condition::Condition;
use super::parse::shown;
use crate::anomaly::alert::{Kinds, Severity};
use crate::rows::{Field, Numbers};

/// The most rules in a list.
const RULES_MAX: usize = 200;
/// The longest list: the longest text that Fluvio's protocol carries as a parameter.
const BYTES_MAX: usize = i16::MAX as usize;
/// The longest name.
const NAME_CHARS_MAX: usize = 64;
/// How often people are told of a rule that goes on holding.
pub(super) const REPEAT_DEFAULT: Duration = Duration::from_secs(3600);
/// The longest `repeat`.
const REPEAT_MAX: Duration = Duration::from_secs(31 * 24 * 3600);
/// What the names of rules begin with among the kinds of an alert.
const KIND_PREFIX: &str = "rule:";

const KEYS: &str = "name, coins, when, severity, replaces, repeat";

/// A rule of the user's.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// `rule:NAME`.
    kind: String,
    /// The coins it is about; empty: all.
    pub coins: Vec<String>,
    /// When it holds.
    pub when: Condition,
    /// An alert with this kind is at least this severe; default warning.
    pub severity: Severity,
    /// The built-in kinds that its coins do not have.
    pub(super) replaces: Kinds,
    /// People are told of it at most once in this time; default an hour.
    pub repeat: Duration,
}

impl Rule {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.kind[KIND_PREFIX.len()..]
    }

    /// Its kind among those of an alert: `rule:NAME`.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The name of the rule whose kind this is; `None` for a built-in kind.
    ///
    /// ```
    /// assert_eq!(market::Rule::name_of_kind("rule:btc-60k"), Some("btc-60k"));
    /// assert_eq!(market::Rule::name_of_kind("price_move"), None);
    /// ```
    pub fn name_of_kind(kind: &str) -> Option<&str> {
        kind.strip_prefix(KIND_PREFIX)
    }

    /// What an alert of these kinds is about, each once: `None` for the built-in kinds together, and for no kind, and its rules by
    /// name.
    ///
    /// ```
    /// let kinds = ["price_move", "rule:btc-60k", "price_spike"].map(str::to_owned);
    /// assert_eq!(market::Rule::subjects(&kinds), [None, Some("btc-60k")]);
    /// assert_eq!(market::Rule::subjects(&[]), [None]);
    /// ```
    pub fn subjects(kinds: &[String]) -> Vec<Option<&str>> {
        let mut subjects: Vec<_> = kinds.iter().map(|kind| Self::name_of_kind(kind)).collect();
        subjects.sort_unstable();
        subjects.dedup();
        if subjects.is_empty() {
            subjects.push(None);
        }
        subjects
    }

    /// Whether it is about this coin.
    pub fn is_about(&self, coin: &str) -> bool {
        self.coins.is_empty() || self.coins.iter().any(|it| it == coin)
    }

    /// The fields that it compares, each once, in the order of `when`.
    pub fn fields(&self) -> Vec<Field> {
        self.when.fields()
    }

    /// That it holds, as a sentence with the values.
    pub(in crate::anomaly) fn message(&self, numbers: &Numbers) -> String {
        let Self { when, .. } = self;
        format!("rule {}: {when} ({})", self.name(), when.values(numbers))
    }
}

/// Why a rule, or the list, is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleProblem {
    /// Its place in the list, from 0; `None` for the list itself.
    pub index: Option<usize>,
    /// Its name, if it has one.
    pub name: Option<String>,
    /// The character of `when` where it goes wrong, from 1; `None` where another key is wrong.
    pub position: Option<usize>,
    /// What is wrong, and what is known there.
    pub problem: String,
}

impl fmt::Display for RuleProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.name, self.index) {
            (Some(name), _) => write!(f, "rule `{}`: ", shown(name))?,
            (None, Some(index)) => write!(f, "rule {}: ", index + 1)?,
            (None, None) => {}
        }
        if let Some(position) = self.position {
            write!(f, "`when`, character {position}: ")?;
        }
        f.write_str(&self.problem)
    }
}

/// All that is wrong with a list of rules.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct RulesError(pub Vec<RuleProblem>);

/// Reads a list.
///
/// # Errors
/// With all that is wrong.
pub(super) fn read(text: &str) -> Result<Vec<Rule>, RulesError> {
    let of_list = |problem| {
        RulesError(vec![RuleProblem {
            index: None,
            name: None,
            position: None,
            problem,
        }])
    };
    if text.len() > BYTES_MAX {
        let bytes = text.len();
        return Err(of_list(format!(
            "the rules have {bytes} bytes: at most {BYTES_MAX} are taken"
        )));
    }
    let list = serde_json::from_str(text)
        .map_err(|error| of_list(format!("the rules are not JSON: {error}")))?;
    let Value::Array(list) = list else {
        return Err(of_list(
            r#"the rules are no list such as [{"name": "btc-60k", "coins": ["bitcoin"], "when": "price crosses_below 60000"}]"#
                .to_owned(),
        ));
    };
    if list.len() > RULES_MAX {
        let count = list.len();
        return Err(of_list(format!(
            "there are {count} rules: at most {RULES_MAX} are taken"
        )));
    }
    let mut problems = Vec::new();
    let mut rules: Vec<Rule> = Vec::new();
    let mut names: Vec<String> = Vec::new();
    for (index, value) in list.iter().enumerate() {
        let mut reader = Reader::of(index, value);
        let rule = reader.rule();
        if let Some(name) = reader.name.clone() {
            if names.contains(&name) {
                let name = shown(&name);
                reader.report(format!("the name `{name}` is another rule's, too"));
            }
            names.push(name);
        }
        problems.append(&mut reader.problems);
        rules.extend(rule);
    }
    match problems.is_empty() {
        true => Ok(rules),
        false => Err(RulesError(problems)),
    }
}

/// Reads one rule and collects what is wrong with it.
struct Reader<'a> {
    index: usize,
    value: &'a Value,
    name: Option<String>,
    problems: Vec<RuleProblem>,
}

impl<'a> Reader<'a> {
    fn of(index: usize, value: &'a Value) -> Self {
        let name = value.get("name").and_then(Value::as_str);
        Self {
            index,
            value,
            name: name.map(str::to_owned),
            problems: Vec::new(),
        }
    }

    fn report(&mut self, problem: String) {
        self.report_at(None, problem);
    }

    fn report_at(&mut self, position: Option<usize>, problem: String) {
        self.problems.push(RuleProblem {
            index: Some(self.index),
            name: self.name.clone(),
            position,
            problem,
        });
    }

    /// `None` if something that it must have is wrong.
    fn rule(&mut self) -> Option<Rule> {
        let Value::Object(object) = self.value else {
            self.report(format!("not an object with the keys {KEYS}"));
            return None;
        };
        for key in object.keys() {
            if !KEYS.split(", ").any(|known| known == key) {
                self.report(format!("unknown key `{}`; known here: {KEYS}", shown(key)));
            }
        }
        let coins = self.coins(object);
        let severity = self.named(object, "severity", Severity::ALL.map(Severity::as_str));
        let replaced = self.named(object, "replaces", Kinds::NAMES);
        let repeat = self.repeat(object);
        let when = self.when(object);
        let name = self.checked_name(object)?;
        Some(Rule {
            kind: format!("{KIND_PREFIX}{name}"),
            coins,
            when: when?,
            severity: severity.map_or(Severity::Warning, |at| Severity::ALL[at]),
            replaces: replaced.map_or(Kinds::default(), Kinds::only),
            repeat,
        })
    }

    fn checked_name(&mut self, object: &'a Map<String, Value>) -> Option<&'a str> {
        let expected = format!("give 1 to {NAME_CHARS_MAX} lower-case letters, digits and `-`");
        let Some(name) = self.text(object, "name", &expected) else {
            if present(object, "name").is_none() {
                self.report(format!("`name` is missing: {expected}"));
            }
            return None;
        };
        let fits = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '-';
        if name.is_empty() || name.len() > NAME_CHARS_MAX || !name.chars().all(fits) {
            self.report(format!("`name` is `{}`: {expected}", shown(name)));
            return None;
        }
        Some(name)
    }

    fn when(&mut self, object: &'a Map<String, Value>) -> Option<Condition> {
        let expected = "give a condition such as `price crosses_below 60000`";
        let Some(text) = self.text(object, "when", expected) else {
            if present(object, "when").is_none() {
                self.report(format!("`when` is missing: {expected}"));
            }
            return None;
        };
        match Condition::parse(text) {
            Ok(condition) => Some(condition),
            Err(misread) => {
                self.report_at(Some(misread.at), misread.problem);
                None
            }
        }
    }

    fn coins(&mut self, object: &'a Map<String, Value>) -> Vec<String> {
        let Some(value) = present(object, "coins") else {
            return Vec::new();
        };
        let coins = value.as_array().and_then(|coins| {
            let coins = coins.iter().map(|coin| coin.as_str().map(str::to_owned));
            coins.collect::<Option<Vec<String>>>()
        });
        match coins {
            Some(coins) if coins.iter().all(|coin| !coin.trim().is_empty()) => coins,
            _ => {
                self.report(format!(
                    "`coins` is `{}`: give a list of CoinGecko ids such as [\"bitcoin\"]",
                    shown(&value.to_string())
                ));
                Vec::new()
            }
        }
    }

    fn repeat(&mut self, object: &'a Map<String, Value>) -> Duration {
        let expected = "give a duration up to 31 days, such as `1h`";
        let Some(text) = self.text(object, "repeat", expected) else {
            return REPEAT_DEFAULT;
        };
        let repeat = humantime::parse_duration(text).ok();
        repeat
            .filter(|repeat| *repeat <= REPEAT_MAX)
            .unwrap_or_else(|| {
                self.report(format!("`repeat` is `{}`: {expected}", shown(text)));
                REPEAT_DEFAULT
            })
    }

    /// The place of a key's value among the values that it may have.
    fn named<const N: usize>(
        &mut self,
        object: &'a Map<String, Value>,
        key: &'static str,
        known: [&str; N],
    ) -> Option<usize> {
        let expected = format!("known here: {}", known.join(", "));
        let text = self.text(object, key, &expected)?;
        let place = known.iter().position(|known| *known == text);
        if place.is_none() {
            self.report(format!("`{key}` is `{}`; {expected}", shown(text)));
        }
        place
    }

    /// A key's text, if it is given.
    fn text(
        &mut self,
        object: &'a Map<String, Value>,
        key: &'static str,
        expected: &str,
    ) -> Option<&'a str> {
        let value = present(object, key)?;
        if value.as_str().is_none() {
            self.report(format!(
                "`{key}` is `{}`: {expected}",
                shown(&value.to_string())
            ));
        }
        value.as_str()
    }
}

/// A key's value; null, which an empty key of YAML is, counts as none.
fn present<'a>(object: &'a Map<String, Value>, key: &str) -> Option<&'a Value> {
    object.get(key).filter(|value| !value.is_null())
}
