//! Where a replay resumes.
//!
//! The replay keeps no position of its own: what has arrived in the topic is the truth. Each partition holds a prefix
//! of what the market sends to it, so the number of records in each says which elements are still to be sent, even when
//! a crash came between the appends of one step to two partitions.

use crate::step::Step;

/// Maps a record's key to one of a number of partitions, as the source does.
pub type PartitionOf = fn(key: Option<&[u8]>, partitions: u32) -> u32;

/// How far a partition of the raw topic is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tail {
    /// How many records it has.
    pub records: u64,
    /// The value of its last record, to notice a topic filled from another market.
    pub last: Option<Vec<u8>>,
}

/// The records a topic already has, and so those it lacks.
#[derive(Debug, Clone)]
pub struct Position {
    tails: Vec<Tail>,
    /// How many elements of the market, from its start, went to each partition.
    passed: Vec<u64>,
    partition_of: PartitionOf,
}

/// Why a topic cannot be continued from a market.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PositionError {
    /// The last record isn't the one the market has there.
    #[error(
        "record {offset} of partition {partition} of the raw topic is not from this market: give every recording a data \
         directory of its own"
    )]
    OtherMarket {
        /// The partition.
        partition: usize,
        /// The offset of its last record.
        offset: u64,
    },
    /// More records than the market has.
    #[error(
        "partition {partition} of the raw topic holds {held} records, this market has only {market} for it: give every \
         recording a data directory of its own"
    )]
    TooMany {
        /// The partition.
        partition: usize,
        /// How many records it has.
        held: u64,
        /// How many the market has.
        market: u64,
    },
}

impl Position {
    /// The start: nothing has arrived yet.
    pub fn start() -> Self {
        Self::from_tails(vec![Tail::default()], |_, _| 0)
    }

    /// After the given number of records in each partition.
    pub fn from_counts(records: &[u64], partition_of: PartitionOf) -> Self {
        let tail = |&records: &u64| Tail {
            records,
            last: None,
        };
        Self::from_tails(records.iter().map(tail).collect(), partition_of)
    }

    /// After what each partition holds, one tail a partition, in order.
    pub fn from_tails(tails: Vec<Tail>, partition_of: PartitionOf) -> Self {
        Self {
            passed: vec![0; tails.len()],
            tails,
            partition_of,
        }
    }

    /// Moves past the step. Writes its elements that have not arrived to `body`, as one JSON array, and the range of each to
    /// `missing`.
    pub(crate) fn pass(
        &mut self,
        step: &Step,
        missing: &mut Vec<std::ops::Range<usize>>,
        body: &mut Vec<u8>,
    ) -> Result<(), PositionError> {
        missing.clear();
        body.clear();
        body.push(b'[');
        for element in step.elements() {
            let partition = match self.passed.len() {
                1 => 0,
                partitions => {
                    let key = element.key.map(|key| key.as_bytes());
                    (self.partition_of)(key, partitions as u32) as usize
                }
            };
            self.passed[partition] += 1;
            let offset = self.passed[partition] - 1;
            let tail = &self.tails[partition];
            if offset >= tail.records {
                if !missing.is_empty() {
                    body.push(b',');
                }
                let start = body.len();
                body.extend_from_slice(element.json);
                missing.push(start..body.len());
            } else if offset + 1 == tail.records
                && tail.last.as_ref().is_some_and(|last| last != element.json)
            {
                return Err(PositionError::OtherMarket { partition, offset });
            }
        }
        body.push(b']');
        Ok(())
    }

    /// The last record of each partition that has one.
    pub(crate) fn last_records(&self) -> impl Iterator<Item = &[u8]> {
        self.tails.iter().filter_map(|tail| tail.last.as_deref())
    }

    /// How many records have arrived, of all partitions.
    pub(crate) fn arrived(&self) -> u64 {
        self.tails.iter().map(|tail| tail.records).sum()
    }

    /// How many elements of the market it has moved past.
    pub(crate) fn passed(&self) -> u64 {
        self.passed.iter().sum()
    }

    /// After the last step: no partition may hold more than the market sent to it.
    pub(crate) fn check_end(&self) -> Result<(), PositionError> {
        let both = self.tails.iter().zip(&self.passed);
        match both
            .enumerate()
            .find(|(_, (tail, passed))| tail.records > **passed)
        {
            None => Ok(()),
            Some((partition, (tail, &market))) => Err(PositionError::TooMany {
                partition,
                held: tail.records,
                market,
            }),
        }
    }
}
