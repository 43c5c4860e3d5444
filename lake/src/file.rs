//! Data files and their names: `<topic>-<partition>-<offset of the first row>.parquet`, the offset in 20 digits.
//!
//! Always true: within one partition the order of names is the order of rows. Offsets start again when the topic is
//! recreated, so the name then has a generation: `<topic>-<partition>-g<generation>-<offset>.parquet`.

use std::fmt;

/// The parts of a data file's name, in sort order.
///
/// ```
/// use lake::FileName;
///
/// let name = FileName::parse("trades-0-00000000000000000041.parquet").unwrap();
/// assert_eq!((name.topic.as_str(), name.partition, name.offset), ("trades", 0, 41));
/// assert_eq!(name.to_string(), "trades-0-00000000000000000041.parquet");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileName {
    /// The input topic.
    pub topic: String,
    /// The input partition.
    pub partition: u32,
    /// How many times the input topic was recreated, counting only what the operator accepted.
    pub generation: u32,
    /// The input offset of the first row. For a file without rows: the first input it covers.
    pub offset: i64,
}

impl FileName {
    /// Parses a name; `None` when it is not that of a data file.
    pub fn parse(name: &str) -> Option<Self> {
        let (rest, offset) = name.strip_suffix(".parquet")?.rsplit_once('-')?;
        if offset.len() != 20 {
            return None;
        }
        let offset = offset.parse().ok()?;
        let (mut rest, mut last) = rest.rsplit_once('-')?;
        let mut generation = 0;
        if let Some(number) = last.strip_prefix('g') {
            generation = number.parse().ok()?;
            (rest, last) = rest.rsplit_once('-')?;
        }
        Some(Self {
            topic: rest.to_owned(),
            partition: last.parse().ok()?,
            generation,
            offset,
        })
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-", self.topic, self.partition)?;
        if self.generation > 0 {
            write!(f, "g{}-", self.generation)?;
        }
        write!(f, "{:020}.parquet", self.offset)
    }
}

/// A data file as a listing shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataFile {
    /// Relative to the lake.
    pub path: String,
    /// The parts of its name.
    pub name: FileName,
    /// Its size in bytes.
    pub bytes: u64,
    /// When it was written, by the store's clock, in milliseconds since the epoch.
    pub modified_ms: i64,
}

impl DataFile {
    /// The `YYYY-MM-DD` of the `date=` folder it is in.
    pub fn date(&self) -> Option<&str> {
        self.path
            .split('/')
            .find_map(|part| part.strip_prefix("date="))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, topic: &str, partition: u32, generation: u32, offset: i64) {
        let parsed = FileName::parse(name).unwrap();
        let expected = FileName {
            topic: topic.to_owned(),
            partition,
            generation,
            offset,
        };
        assert_eq!(parsed, expected);
        assert_eq!(parsed.to_string(), name);
    }

    #[test]
    fn a_topic_may_contain_what_separates_the_parts() {
        check("trades-0-00000000000000000041.parquet", "trades", 0, 0, 41);
        check("a-1-5-00000000000000000000.parquet", "a-1", 5, 0, 0);
        check("a-7-g2-00000000000000000003.parquet", "a", 7, 2, 3);
    }

    #[test]
    fn names_of_other_files_are_not_parsed() {
        for name in [
            "trades-0-41.parquet",
            "trades-0-00000000000000000041.parquet.tmp",
            "part-00000.snappy.parquet",
            "00000000000000000041.parquet",
            "_SUCCESS",
        ] {
            assert_eq!(FileName::parse(name), None, "{name}");
        }
    }

    #[test]
    fn the_order_of_names_is_the_order_of_rows() {
        let name = |generation, offset| FileName {
            topic: "t".to_owned(),
            partition: 0,
            generation,
            offset,
        };
        assert!(name(0, 900) < name(0, 1000));
        assert!(name(0, 1000) < name(1, 0));
    }
}
