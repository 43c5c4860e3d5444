//! What a rule's `when` says.

use std::fmt;

use crate::rows::{Field, Numbers};

/// Comparisons that must all hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition(pub(super) Vec<Comparison>);

/// `left op right`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Comparison {
    pub(super) left: Term,
    pub(super) op: Op,
    pub(super) right: Term,
}

/// One side of a comparison.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Term {
    Number(f64),
    Field(Field),
    Abs(Field),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Op {
    Less,
    AtMost,
    Greater,
    AtLeast,
    /// `price_prev <= right and price > right`, with the right side as it is in this row.
    CrossesAbove,
    /// `price_prev >= right and price < right`, with the right side as it is in this row.
    CrossesBelow,
}

impl Op {
    pub(super) const ALL: [Self; 6] = [
        Self::Less,
        Self::AtMost,
        Self::Greater,
        Self::AtLeast,
        Self::CrossesAbove,
        Self::CrossesBelow,
    ];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::Greater => ">",
            Self::AtLeast => ">=",
            Self::CrossesAbove => "crosses_above",
            Self::CrossesBelow => "crosses_below",
        }
    }

    pub(super) fn crosses(self) -> bool {
        matches!(self, Self::CrossesAbove | Self::CrossesBelow)
    }
}

impl Term {
    pub(super) fn field(self) -> Option<Field> {
        match self {
            Self::Number(_) => None,
            Self::Field(field) | Self::Abs(field) => Some(field),
        }
    }
}

impl Comparison {
    /// The comparisons without crossings that must all hold: a crossing is one of the price before and one of the price.
    pub(super) fn plain(self) -> impl Iterator<Item = Self> {
        let Self { left, op, right } = self;
        let before = |op| Self {
            left: Term::Field(Field::PRICE_PREV),
            op,
            right,
        };
        let (first, second) = match op {
            Op::CrossesAbove => (before(Op::AtMost), Some(Op::Greater)),
            Op::CrossesBelow => (before(Op::AtLeast), Some(Op::Less)),
            _ => (self, None),
        };
        let second = second.map(|op| Self { left, op, right });
        std::iter::once(first).chain(second)
    }
}

impl Condition {
    /// The fields that it compares, each once, in the order of the text; of a crossing the price before comes first.
    pub(super) fn fields(&self) -> Vec<Field> {
        let mut fields = Vec::new();
        let plain = self.0.iter().flat_map(|comparison| comparison.plain());
        let compared = plain.flat_map(|it| [it.left.field(), it.right.field()]);
        for field in compared.flatten() {
            if !fields.contains(&field) {
                fields.push(field);
            }
        }
        fields
    }

    /// The values of its fields, for people: `price_prev 60010.5, price 59990`. Fields that are null are left out: a condition that
    /// holds has none.
    pub(super) fn values(&self, numbers: &Numbers) -> String {
        let fields = self.fields().into_iter();
        let values = fields.filter_map(|field| Some(format!("{field} {}", numbers.get(field)?)));
        values.collect::<Vec<_>>().join(", ")
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Field(field) => write!(f, "{field}"),
            Self::Abs(field) => write!(f, "abs({field})"),
        }
    }
}

/// Text that is parsed as the same condition.
impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, Comparison { left, op, right }) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str(" and ")?;
            }
            write!(f, "{left} {} {right}", op.as_str())?;
        }
        Ok(())
    }
}
