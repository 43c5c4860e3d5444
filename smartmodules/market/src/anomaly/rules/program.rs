//! Rules as lists of comparisons: what a row's verdict costs is a walk along them.

use super::condition::{Comparison, Op, Term};
use super::list::Rule;
use crate::anomaly::alert::Kinds;
use crate::rows::{FIELDS, Numbers};

/// A row's numeric fields, and behind them their absolute values; NaN where they are null.
#[derive(Debug)]
pub(super) struct Table([f64; 2 * FIELDS]);

impl Table {
    #[inline(always)]
    pub(super) fn of(numbers: &Numbers) -> Self {
        let mut table = [f64::NAN; 2 * FIELDS];
        let (plain, absolute) = table.split_at_mut(FIELDS);
        plain.copy_from_slice(numbers.as_array());
        for (to, from) in absolute.iter_mut().zip(numbers.as_array()) {
            *to = from.abs();
        }
        Self(table)
    }
}

/// `left < right`, or with `or_equal` `left <= right`. NaN makes it false.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Test {
    left: Side,
    right: Side,
    or_equal: bool,
}

/// A place in the table or a number.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Side {
    Place(u8),
    Number(f64),
}

impl From<Term> for Side {
    fn from(term: Term) -> Self {
        match term {
            Term::Number(number) => Self::Number(number),
            Term::Field(field) => Self::Place(field.place() as u8),
            Term::Abs(field) => Self::Place((FIELDS + field.place()) as u8),
        }
    }
}

impl Side {
    #[inline(always)]
    fn value(self, table: &Table) -> f64 {
        match self {
            Self::Place(place) => table.0[usize::from(place)],
            Self::Number(number) => number,
        }
    }
}

impl Test {
    fn of(comparison: Comparison) -> Self {
        let Comparison { left, op, right } = comparison;
        let (left, right) = match op {
            Op::Less | Op::AtMost | Op::CrossesBelow => (left, right),
            Op::Greater | Op::AtLeast | Op::CrossesAbove => (right, left),
        };
        Self {
            left: left.into(),
            right: right.into(),
            or_equal: matches!(op, Op::AtMost | Op::AtLeast),
        }
    }

    #[inline(always)]
    fn holds(self, table: &Table) -> bool {
        let (left, right) = (self.left.value(table), self.right.value(table));
        left < right || self.or_equal && left == right
    }
}

/// The rules that some coin has.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Program {
    /// Those of the first rule, of the second, and so on.
    tests: Vec<Test>,
    /// Each rule's place in the list, and where its tests end.
    rules: Vec<(u16, u32)>,
    /// The built-in kinds that the coin does not have.
    pub(super) replaces: Kinds,
}

impl Program {
    pub(super) fn add(&mut self, place: u16, rule: &Rule) {
        let comparisons = rule.when.0.iter();
        let tests = comparisons.flat_map(|it| it.plain()).map(Test::of);
        self.tests.extend(tests);
        self.rules.push((place, self.tests.len() as u32));
        self.replaces = self.replaces.or(rule.replaces);
    }

    /// Adds the places of the rules that hold.
    #[inline(always)]
    pub(super) fn run(&self, table: &Table, held: &mut Vec<u16>) {
        let mut begin = 0;
        for &(place, end) in &self.rules {
            let end = end as usize;
            if self.tests[begin..end].iter().all(|test| test.holds(table)) {
                held.push(place);
            }
            begin = end;
        }
    }
}
