//! Rules as sorted lists of bounds: a row that is far from all of them costs one comparison a field.

use super::condition::{Comparison, Op, Term};
use super::list::Rule;
use crate::anomaly::alert::Kinds;
use crate::rows::Numbers;

/// The rules that some coin has.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Program {
    groups: Vec<Group>,
    /// Rules without a comparison of a field with a number.
    unbound: Vec<Entry>,
    /// The built-in kinds that the coin does not have.
    pub(super) replaces: Kinds,
}

/// The rules that hold only if a value is below a bound.
#[derive(Debug, Clone, PartialEq)]
struct Group {
    value: Value,
    /// The greatest bound first: the first that the value is not below ends the walk.
    entries: Vec<(f64, Entry)>,
}

/// What is held against bounds.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Value {
    term: Term,
    /// Its negative, to turn "above" into "below".
    negated: bool,
}

/// A rule, with the comparisons that are not in its bound.
#[derive(Debug, Clone, PartialEq)]
struct Entry {
    /// The rule's place in the list.
    rule: u16,
    comparisons: Vec<Comparison>,
}

impl Program {
    pub(super) fn add(&mut self, rule: u16, of: &Rule) {
        self.replaces = self.replaces.or(of.replaces);
        let mut comparisons: Vec<_> = of.when.0.iter().flat_map(|it| it.plain()).collect();
        // Of a crossing the later comparison, that of the price itself, is the rarer one.
        let bounds = comparisons.iter().map(|it| below(*it));
        let Some((at, (value, bound))) = bounds
            .enumerate()
            .filter_map(|(at, it)| Some((at, it?)))
            .next_back()
        else {
            let entry = Entry { rule, comparisons };
            self.unbound.push(entry);
            return;
        };
        comparisons.remove(at);
        let entry = Entry { rule, comparisons };
        let group = self.groups.iter().position(|group| group.value == value);
        let group = group.unwrap_or_else(|| {
            let entries = Vec::new();
            self.groups.push(Group { value, entries });
            self.groups.len() - 1
        });
        let entries = &mut self.groups[group].entries;
        let at = entries.partition_point(|(other, _)| *other >= bound);
        entries.insert(at, (bound, entry));
    }

    /// Adds the places of the rules that hold.
    #[inline(always)]
    pub(super) fn run(&self, numbers: &Numbers, held: &mut Vec<u16>) {
        for group in &self.groups {
            let value = group.value.of(numbers);
            for (bound, entry) in &group.entries {
                if value < *bound {
                    entry.run(numbers, held);
                } else {
                    break;
                }
            }
        }
        for entry in &self.unbound {
            entry.run(numbers, held);
        }
    }
}

impl Entry {
    fn run(&self, numbers: &Numbers, held: &mut Vec<u16>) {
        if self.comparisons.iter().all(|it| holds(*it, numbers)) {
            held.push(self.rule);
        }
    }
}

impl Value {
    #[inline(always)]
    fn of(self, numbers: &Numbers) -> f64 {
        let value = value(self.term, numbers);
        match self.negated {
            true => -value,
            false => value,
        }
    }
}

/// A comparison of a field with a number, as a value that must be below a bound. "At most" is "below the next greater number".
fn below(comparison: Comparison) -> Option<(Value, f64)> {
    let Comparison { left, op, right } = comparison;
    let (term, number, field_is_left) = match (left, right) {
        (Term::Number(number), term) => (term, number, false),
        (term, Term::Number(number)) => (term, number, true),
        _ => return None,
    };
    let left_is_less = matches!(op, Op::Less | Op::AtMost);
    let negated = field_is_left != left_is_less;
    let bound = if negated { -number } else { number };
    let bound = match op {
        Op::AtMost | Op::AtLeast => bound.next_up(),
        _ => bound,
    };
    Some((Value { term, negated }, bound))
}

/// A term's value, NaN for null.
#[inline(always)]
fn value(term: Term, numbers: &Numbers) -> f64 {
    match term {
        Term::Number(number) => number,
        Term::Field(field) => numbers.or_nan(field),
        Term::Abs(field) => numbers.or_nan(field).abs(),
    }
}

/// Whether a plain comparison holds; null makes it false.
fn holds(comparison: Comparison, numbers: &Numbers) -> bool {
    let left = value(comparison.left, numbers);
    let right = value(comparison.right, numbers);
    match comparison.op {
        Op::Less | Op::CrossesBelow => left < right,
        Op::AtMost => left <= right,
        Op::Greater | Op::CrossesAbove => left > right,
        Op::AtLeast => left >= right,
    }
}
