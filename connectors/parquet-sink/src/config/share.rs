//! Which partitions this process takes when several processes share one stage.
//!
//! Always true: among copies that were started with the same number of copies, each partition belongs to exactly one.

use std::fmt;
use std::str::FromStr;

/// Copy `index` of `copies`, counted from 0: it takes the partitions whose number modulo `copies` is `index`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    index: u32,
    copies: u32,
}

impl Share {
    /// Copy `index` of `copies`; `None` where there are not so many.
    pub(crate) fn new(index: u32, copies: u32) -> Option<Self> {
        (index < copies).then_some(Self { index, copies })
    }

    /// The partitions of this copy.
    pub(crate) fn of(self, mut partitions: Vec<u32>) -> Vec<u32> {
        partitions.retain(|partition| partition % self.copies == self.index);
        partitions
    }
}

/// One copy, which takes every partition.
impl Default for Share {
    fn default() -> Self {
        Self {
            index: 0,
            copies: 1,
        }
    }
}

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text
            .split_once('/')
            .and_then(|(index, copies)| Some((index.parse().ok()?, copies.parse().ok()?)));
        let Some((index, copies)) = parsed else {
            return Err("write I/N for copy I of N: 0/3, 1/3 and 2/3 for three copies".to_owned());
        };
        Self::new(index, copies).ok_or_else(|| {
            format!(
                "there is no copy {index} of {copies}: I must be below N, and every copy needs the same N"
            )
        })
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.copies)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_partition_belongs_to_one_copy() {
        for copies in 1..8 {
            let mut all: Vec<u32> = (0..copies)
                .flat_map(|index| Share { index, copies }.of((0..7).collect()))
                .collect();
            all.sort_unstable();
            assert_eq!(all, [0, 1, 2, 3, 4, 5, 6], "{copies} copies");
        }
        assert_eq!(Share::default().of(vec![0, 1, 2]), [0, 1, 2]);
        assert_eq!((Share::new(1, 1), Share::new(0, 0)), (None, None));
    }

    #[test]
    fn parses_and_prints_index_and_number() {
        let share: Share = "2/3".parse().unwrap();
        assert_eq!(share.of(vec![0, 1, 2, 5]), [2, 5]);
        assert_eq!(share.to_string(), "2/3");
        for wrong in ["", "1", "1/", "/2", "a/b", "-1/3", "1 / 3"] {
            assert!(
                wrong.parse::<Share>().unwrap_err().contains("0/3"),
                "{wrong}"
            );
        }
        for wrong in ["3/3", "0/0"] {
            assert!(
                wrong
                    .parse::<Share>()
                    .unwrap_err()
                    .contains("there is no copy"),
                "{wrong}"
            );
        }
    }
}
