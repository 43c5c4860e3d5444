//! How many rows of the market a row of a sample stands for.

use std::fmt;

/// How many rows of the market a row stands for, by its label; one if nothing was left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weights {
    positive: u32,
    negative: u32,
}

impl Default for Weights {
    fn default() -> Self {
        Self::new(1, 1)
    }
}

impl Weights {
    /// For each true row, and for each other one.
    ///
    /// # Panics
    /// When a row stands for none.
    pub fn new(positive: u32, negative: u32) -> Self {
        assert!(positive > 0 && negative > 0, "a row stands for itself");
        Self { positive, negative }
    }

    /// The number of rows that one with this label stands for.
    pub fn of(self, label: bool) -> u64 {
        u64::from(if label { self.positive } else { self.negative })
    }
}

/// As a sentence's part, of the rows of a sample.
impl fmt::Display for Weights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.positive, self.negative) {
            (1, 1) => f.write_str("all rows"),
            (1, negative) => write!(f, "every true row, one of {negative} others"),
            (positive, 1) => write!(f, "one of {positive} true rows, every other one"),
            (positive, negative) if positive == negative => write!(f, "one of {positive} rows"),
            (positive, negative) => {
                write!(f, "one of {positive} true rows, one of {negative} others")
            }
        }
    }
}
