//! Rows that an output topic holds and the lake lacks. They are read from the topic and not computed again, so both agree
//! even if the module changed in between.

use std::collections::VecDeque;

use connector_runtime::cluster::Client;
use connector_runtime::reader::{PlainReader, ReadError, SMALL_RESPONSE_BYTES};
use connector_runtime::record::Record;

use super::topics::ReadBackPlan;
use crate::encode::envelope::source_offset;

/// Reads one output partition from the lake's position to the end that it had at the start.
pub(crate) struct ReadBack {
    reader: PlainReader,
    end: i64,
    committed: i64,
    /// Outputs that were not taken yet, ascending by the input they were made from.
    waiting: VecDeque<(i64, Record)>,
    /// The greatest input so far: an output of a lower one is a duplicate.
    greatest: i64,
    /// The input of the oldest output in the topic.
    first: Option<i64>,
    oldest_gone: bool,
    exhausted: bool,
}

impl ReadBack {
    /// Opens the topic.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) async fn open(
        client: &Client,
        topic: &str,
        partition: u32,
        plan: ReadBackPlan,
        committed: i64,
    ) -> Result<Self, ReadError> {
        let reader = PlainReader::open(client, topic, partition, plan.from()).await?;
        Ok(Self {
            reader: reader.with_max_bytes(SMALL_RESPONSE_BYTES),
            end: plan.log.end,
            committed,
            waiting: VecDeque::new(),
            greatest: committed,
            first: None,
            oldest_gone: plan.oldest_gone(),
            exhausted: plan.from() >= plan.log.end,
        })
    }

    /// Reads until [`ReadBack::take`] can answer for every input up to `input`.
    ///
    /// # Errors
    /// When the topic cannot be read.
    pub(crate) async fn fill(&mut self, input: i64) -> Result<(), ReadError> {
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
        // A foreign record at the tail was refused at the start; older ones do not matter.
        let Ok(input) = source_offset(&record.value) else {
            return;
        };
        self.first.get_or_insert(input);
        if input > self.greatest && input > self.committed {
            self.greatest = input;
            self.waiting.push_back((input, record));
        }
    }

    /// Takes the output made from this input, if the topic holds one. Call it with ascending inputs.
    pub(crate) fn take(&mut self, input: i64) -> Option<Record> {
        while self
            .waiting
            .front()
            .is_some_and(|(first, _)| *first < input)
        {
            self.waiting.pop_front();
        }
        match self.waiting.front() {
            Some((first, _)) if *first == input => {
                self.waiting.pop_front().map(|(_, record)| record)
            }
            _ => None,
        }
    }

    /// Whether the topic reaches back to this input: then no output means that there was none.
    pub(crate) fn covers(&self, input: i64) -> bool {
        !self.oldest_gone || self.first.is_some_and(|first| input >= first)
    }
}
