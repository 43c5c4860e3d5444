//! Rules of the user's: `{"name": "btc-60k", "coins": ["bitcoin"], "when": "price crosses_below 60000"}`.
//!
//! Always true: what a rule says of a row is a function of that row.
//!
//! - [`Rules`]: a list, ready to be asked
//! - [`Rule`]: one of them; [`RuleProblem`] says why it is refused, [`RulesError`] all that is wrong with a list
//! - [`Condition`]: what its `when` says; `parse` reads it
//! - `program`: what asking costs

mod condition;
mod list;
mod parse;
mod program;
#[cfg(test)]
mod tests;

use std::time::Duration;

use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;

pub use condition::Condition;
pub use list::{Rule, RuleProblem, RulesError};

use self::list::REPEAT_DEFAULT;
use self::program::Program;
use super::alert::Kinds;
use crate::rows::{Field, FieldSet, Numbers};

/// A list of rules.
///
/// ```
/// use market::{Field, Numbers, Rules};
///
/// let rules = Rules::parse(r#"[{"name": "btc-60k", "coins": ["bitcoin"], "when": "price crosses_below 60000"}]"#)?;
/// let mut row = Numbers::default();
/// row.set(Field::named("price").unwrap(), Some(59_990.0));
/// assert!(rules.holding("bitcoin", &row).is_empty(), "nothing is known of the price before");
/// row.set(Field::named("price_prev").unwrap(), Some(60_000.0));
/// assert_eq!(rules.holding("bitcoin", &row), [0]);
/// assert_eq!(rules.list()[0].name(), "btc-60k");
/// # Ok::<_, market::RulesError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rules {
    list: Vec<Rule>,
    fields: FieldSet,
    /// The rules about all coins.
    every: Program,
    /// The rules that name a coin.
    of_coin: HashMap<String, Program, FxBuildHasher>,
}

impl Rules {
    /// Reads a JSON list.
    ///
    /// # Errors
    /// With everything that is wrong, each problem with the rule's name and, in its `when`, the place.
    pub fn parse(text: &str) -> Result<Self, RulesError> {
        let list = list::read(text)?;
        let mut rules = Self::default();
        for (place, rule) in (0..).zip(&list) {
            for field in rule.fields() {
                rules.fields.insert(field);
            }
            if rule.coins.is_empty() {
                rules.every.add(place, rule);
            }
            for (at, coin) in rule.coins.iter().enumerate() {
                if !rule.coins[..at].contains(coin) {
                    rules.of_coin.entry_ref(coin).or_default().add(place, rule);
                }
            }
        }
        rules.list = list;
        Ok(rules)
    }

    /// The rules, in the order of the list.
    pub fn list(&self) -> &[Rule] {
        &self.list
    }

    /// The rule of this name.
    pub fn get(&self, name: &str) -> Option<&Rule> {
        self.list.iter().find(|rule| rule.name() == name)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The fields that they compare.
    pub fn fields(&self) -> impl Iterator<Item = Field> {
        self.fields.iter()
    }

    /// The places in the list of the rules that hold for a coin's row, in order.
    pub fn holding(&self, coin: &str, numbers: &Numbers) -> Vec<u16> {
        let mut held = Vec::new();
        self.judge(coin, numbers, &mut held);
        held
    }

    /// People are told of the rule of this name at most once in this time.
    pub fn repeat_of(&self, name: &str) -> Duration {
        self.get(name).map_or(REPEAT_DEFAULT, |rule| rule.repeat)
    }

    /// The longest time in which people are told of a rule once, known here or not.
    pub fn longest_repeat(&self) -> Duration {
        let repeats = self.list.iter().map(|rule| rule.repeat);
        repeats.max().unwrap_or_default().max(REPEAT_DEFAULT)
    }

    /// Which fields the rules need of a row.
    #[inline(always)]
    pub(super) fn field_set(&self) -> FieldSet {
        self.fields
    }

    /// Sets `held` to the places of the rules that hold for a coin's row, in order. Returns the built-in kinds that the coin does
    /// not have.
    #[inline(always)]
    pub(super) fn judge(&self, coin: &str, numbers: &Numbers, held: &mut Vec<u16>) -> Kinds {
        held.clear();
        self.every.run(numbers, held);
        let mut replaced = self.every.replaces;
        if let Some(own) = self.of_coin.get(coin) {
            own.run(numbers, held);
            replaced = replaced.or(own.replaces);
        }
        held.sort_unstable();
        replaced
    }
}
