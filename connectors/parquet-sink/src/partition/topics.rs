//! An output topic's records between two hand-overs, and its rows that the lake lacks.

use connector_runtime::reader::ReadError;
use connector_runtime::record::Outgoing;
use connector_runtime::record::Record;

use crate::input::Item;
use crate::output::Pending;
use crate::recovery::ReadBack;

/// What one partition has for one output topic.
pub(super) struct TopicState {
    /// The topic's name.
    pub name: String,
    /// Outputs that were not handed over yet.
    pub pending: Vec<Pending>,
    /// The last input whose output was put into `pending`, or that the topic held before.
    pub last_output: i64,
    /// The last input that the topic held when the stage started.
    held_up_to: i64,
    read_back: Option<ReadBack>,
}

impl TopicState {
    pub(super) fn new(name: &str, held_up_to: i64, read_back: Option<ReadBack>) -> Self {
        Self {
            name: name.to_owned(),
            pending: Vec::new(),
            last_output: held_up_to,
            held_up_to,
            read_back,
        }
    }

    /// Adds an output unless the topic holds it already.
    pub(super) fn push(&mut self, offset: i64, item: Item) {
        if offset > self.held_up_to {
            self.last_output = offset;
            self.pending.push(Pending {
                source_offset: offset,
                record: Outgoing {
                    key: item.key,
                    value: item.value,
                },
            });
        }
    }

    /// Reads until [`TopicState::take_back`] can answer for every input up to `input`.
    pub(super) async fn fill(&mut self, input: i64) -> Result<(), ReadError> {
        match &mut self.read_back {
            Some(read_back) => read_back.fill(input).await,
            None => Ok(()),
        }
    }

    /// The output that the topic holds for this input, if the topic is ahead of the lake.
    pub(super) fn take_back(&mut self, offset: i64) -> Option<Record> {
        self.read_back.as_mut()?.take(offset)
    }

    /// The topic is past this input, and holds no output for it: then the lake gets none either.
    pub(super) fn has_none_for(&self, offset: i64) -> bool {
        let read_back = self.read_back.as_ref();
        offset <= self.held_up_to && read_back.is_some_and(|read_back| read_back.covers(offset))
    }
}
