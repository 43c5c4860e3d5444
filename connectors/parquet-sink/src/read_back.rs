//! Rows that an output topic holds and the lake does not yet: they are taken from the topic, not computed again, so that
//! both agree even if the module changed in between.

use std::collections::VecDeque;

use connector_runtime::cluster::Client;
use connector_runtime::reader::{PlainReader, ReadError, Record};

use crate::envelope::source_offset;
use crate::recover::ReadBackPlan;

/// Reads one output partition from the lake's position to what was its end at the start.
pub struct ReadBack {
    reader: PlainReader,
    end: i64,
    committed: i64,
    /// Outputs not asked for yet, ascending by the input they were made from.
    waiting: VecDeque<(i64, Record)>,
    /// The greatest input seen: what is not above it is a late double.
    greatest: i64,
    /// The input of the oldest output found.
    first: Option<i64>,
    oldest_gone: bool,
    exhausted: bool,
}

impl ReadBack {
    /// Opens the topic.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn open(
        client: &Client,
        topic: &str,
        partition: u32,
        plan: ReadBackPlan,
        committed: i64,
    ) -> Result<Self, ReadError> {
        Ok(Self {
            reader: PlainReader::open(client, topic, partition, plan.from).await?,
            end: plan.end,
            committed,
            waiting: VecDeque::new(),
            greatest: committed,
            first: None,
            oldest_gone: plan.oldest_gone,
            exhausted: plan.from >= plan.end,
        })
    }

    /// Makes sure that [`ReadBack::take`] can answer for every input up to `input`.
    ///
    /// # Errors
    /// When the topic cannot be read.
    pub async fn fill(&mut self, input: i64) -> Result<(), ReadError> {
        while !self.exhausted && self.greatest < input {
            for record in self.reader.next().await? {
                let last = record.offset + 1 >= self.end;
                self.add(record);
                if last {
                    self.exhausted = true;
                    break;
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, record: Record) {
        // A record that is not ours was refused when the tail was looked at; older ones cannot matter.
        let Ok(input) = source_offset(&record.value) else {
            return;
        };
        self.first.get_or_insert(input);
        if input > self.greatest && input > self.committed {
            self.greatest = input;
            self.waiting.push_back((input, record));
        }
    }

    /// The output made from this input, if the topic holds one. Inputs ascend.
    pub fn take(&mut self, input: i64) -> Option<Record> {
        while self
            .waiting
            .front()
            .is_some_and(|(first, _)| *first < input)
        {
            self.waiting.pop_front();
        }
        match self.waiting.front() {
            Some((first, _)) if *first == input => self.waiting.pop_front().map(|(_, r)| r),
            _ => None,
        }
    }

    /// Puts back what [`ReadBack::take`] gave.
    pub fn give_back(&mut self, input: i64, record: Record) {
        self.waiting.push_front((input, record));
    }

    /// Whether the topic would still hold the output of this input, had there been one.
    pub fn covers(&self, input: i64) -> bool {
        !self.oldest_gone || self.first.is_some_and(|first| input >= first)
    }
}
