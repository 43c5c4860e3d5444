//! A number that may be missing, in no more room than a number.

use std::fmt;

/// An `Option<f64>` in 8 bytes in place of 16: none is NaN, which no number of a topic or layer is.
#[derive(Clone, Copy)]
pub(crate) struct MaybeF64(f64);

impl MaybeF64 {
    pub(crate) const NONE: Self = Self(f64::NAN);

    pub(crate) fn get(self) -> Option<f64> {
        (!self.0.is_nan()).then_some(self.0)
    }
}

impl From<Option<f64>> for MaybeF64 {
    fn from(number: Option<f64>) -> Self {
        number.map_or(Self::NONE, Self)
    }
}

impl Default for MaybeF64 {
    fn default() -> Self {
        Self::NONE
    }
}

impl PartialEq for MaybeF64 {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

impl fmt::Debug for MaybeF64 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn none_is_none_and_equals_none() {
        for number in [None, Some(0.0), Some(-1.5), Some(f64::INFINITY)] {
            assert_eq!(MaybeF64::from(number).get(), number);
            assert_eq!(MaybeF64::from(number), MaybeF64::from(number));
        }
        assert_eq!(MaybeF64::default(), MaybeF64::NONE);
        assert_ne!(MaybeF64::from(Some(0.0)), MaybeF64::NONE);
        assert_eq!(format!("{:?}", MaybeF64::NONE), "None");
    }
}
