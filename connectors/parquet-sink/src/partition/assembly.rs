//! Gives a partition's outputs to their destinations: rows to tables, records to topics.
//!
//! Always true: outputs are taken in the order of their inputs, one for each, none twice; a destination gets nothing that
//! it holds already. Nothing here waits, except for encoders, or reads a clock.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use bytes::Bytes;
use connector_runtime::reader::ReadError;
use connector_runtime::record::Record;

use super::position::Position;
use super::topics::TopicState;
use crate::commit::{Cut, SinceCut, StageTable};
use crate::config::StagePlan;
use crate::encode::envelope::{EnvelopeReader, Route};
use crate::encode::rows::Source;
use crate::encode::{LayerState, Pushed};
use crate::error::StageError;
use crate::input::Item;
use crate::meters::Meters;
use crate::recovery::{ReadBack, ResumePlan};
use crate::status::StageStatus;

/// The state of one partition between input and destinations.
pub(super) struct Assembly {
    /// How far the input is taken.
    pub position: Position,
    /// One for each output topic, in the order of the plan.
    pub topics: Vec<TopicState>,
    envelopes: EnvelopeReader,
    destinations: Vec<Targets>,
    /// The main table's first.
    layers: Vec<LayerState>,
    routed: Routed,
    status: Arc<StageStatus>,
}

/// A destination's table and topic, by index.
struct Targets {
    layer: Option<usize>,
    topic: Option<usize>,
}

/// Outputs since they were last counted.
struct Routed {
    /// By destination.
    to: Vec<u64>,
    ignored: u64,
}

impl Assembly {
    /// Ready for the output of the input at `resume.open_at` in this partition of `topic`.
    pub(super) fn new(
        plan: &StagePlan,
        topic: &str,
        partition: u32,
        tables: &[StageTable],
        resume: &ResumePlan,
        read_backs: Vec<Option<ReadBack>>,
        status: &Arc<StageStatus>,
    ) -> Self {
        let mut layers = Vec::new();
        let mut topics = Vec::new();
        let mut destinations = Vec::new();
        let held_up_to = std::iter::once(&resume.committed).chain(&resume.side_tables);
        let mut held_up_to = held_up_to.copied();
        let mut read_backs = read_backs.into_iter();
        let time_field = plan.state.as_ref().map(|state| state.time_field.as_str());
        for destination in &plan.destinations {
            let layer = destination.layer.as_ref().map(|_| {
                layers.push(LayerState::new(
                    tables[layers.len()].schema.clone(),
                    topic,
                    partition,
                    plan.limits.rows_max,
                    held_up_to.next().unwrap_or(resume.committed),
                    time_field,
                    status.destination(destination.label()),
                ));
                layers.len() - 1
            });
            let output = destination.topic.as_ref().map(|name| {
                let held_up_to = resume.topics[topics.len()].held_up_to;
                let read_back = read_backs.next().flatten();
                topics.push(TopicState::new(name, held_up_to, read_back));
                topics.len() - 1
            });
            destinations.push(Targets {
                layer,
                topic: output,
            });
        }
        Self {
            position: Position::new(plan, resume, topic, partition),
            topics,
            envelopes: EnvelopeReader::new(plan),
            routed: Routed {
                to: vec![0; destinations.len()],
                ignored: 0,
            },
            destinations,
            layers,
            status: status.clone(),
        }
    }

    /// Reads back what topics hold for the inputs up to `input`.
    ///
    /// # Errors
    /// When a topic cannot be read.
    pub(super) async fn fill(&mut self, input: i64) -> Result<(), ReadError> {
        for topic in &mut self.topics {
            topic.fill(input).await?;
        }
        Ok(())
    }

    /// Takes one output.
    ///
    /// # Errors
    /// When it does not fit the configuration. Everything before it was taken and can be cut.
    pub(super) fn take(&mut self, item: Item, now: Instant) -> Result<Pushed, StageError> {
        let envelope = self
            .envelopes
            .read(&item.value)
            .map_err(|reason| self.position.bad_output(self.position.next(), reason))?;
        let Some(origin) = self.position.origin(&item, &envelope)? else {
            return Ok(Pushed::Taken);
        };
        let offset = origin.offset;
        let routed = match origin.is_duplicate {
            true => None,
            false => self.route(envelope.route, offset)?,
        };
        let read_back = self.take_back(offset);
        let (pushed, time_ms) = match (&read_back, routed) {
            (Some((destination, record)), _) => {
                let row = source(offset, -1, record.key.as_ref(), &record.value);
                self.push_row(*destination, row, now)?
            }
            (None, Some(destination)) if !self.topic_has_none_for(destination, offset) => {
                let row = source(offset, item.timestamp_ms, item.key.as_ref(), &item.value);
                self.push_row(destination, row, now)?
            }
            _ => (Pushed::Taken, None),
        };
        let was_read_back = read_back.is_some();
        // The module's own output counts, which can differ from what the topic holds.
        let time_ms = time_ms
            .filter(|_| !was_read_back)
            .or_else(|| self.envelopes.time_ms(&item.value));
        match routed {
            Some(destination) => self.routed.to[destination] += 1,
            None => {
                self.routed.ignored += 1;
                self.status.ignored.fetch_add(1, Ordering::Relaxed);
            }
        }
        self.position
            .advance(offset, &item, envelope.source_offset, time_ms, now);
        if !was_read_back
            && let Some(destination) = routed
            && let Some(topic) = self.destinations[destination].topic
        {
            self.topics[topic].push(offset, item);
        }
        Ok(pushed)
    }

    /// The destination of an output; `None` when it is ignored.
    fn route(&self, route: Route, offset: i64) -> Result<Option<usize>, StageError> {
        let reason = match route {
            Route::To(destination) => return Ok(Some(destination)),
            Route::Ignored => return Ok(None),
            Route::Unknown(value) => format!(
                "no destination takes the routing value `{value}`; add one, or list it under parquet.ignore"
            ),
            Route::Absent => "it has no routing field".to_owned(),
        };
        Err(self.position.bad_output(offset, reason))
    }

    /// Adds a row to the table of a destination. Also returns its event time, when that is one of the columns.
    fn push_row(
        &mut self,
        destination: usize,
        row: Source<'_>,
        now: Instant,
    ) -> Result<(Pushed, Option<i64>), StageError> {
        match self.destinations[destination].layer {
            Some(layer) if row.offset > self.position.last_cut() => self.layers[layer]
                .push(row, now)
                .map_err(|reason| self.position.bad_output(row.offset, reason)),
            _ => Ok((Pushed::Taken, None)),
        }
    }

    /// The output that a topic ahead of the lake holds for this input, with its destination.
    fn take_back(&mut self, offset: i64) -> Option<(usize, Record)> {
        let destinations = self.destinations.iter().enumerate();
        for (i, topic) in destinations.filter_map(|(i, targets)| Some((i, targets.topic?))) {
            if let Some(record) = self.topics[topic].take_back(offset) {
                return Some((i, record));
            }
        }
        None
    }

    fn topic_has_none_for(&self, destination: usize, offset: i64) -> bool {
        let topic = self.destinations[destination].topic;
        topic.is_some_and(|topic| self.topics[topic].has_none_for(offset))
    }

    /// Counts the outputs taken since the last call, by destination.
    pub(super) fn count_outputs(&mut self, meters: &Meters) {
        for (outputs, meter) in self.routed.to.iter_mut().zip(&meters.outputs) {
            meter.increment(std::mem::take(outputs));
        }
        meters
            .ignored
            .increment(std::mem::take(&mut self.routed.ignored));
    }

    /// What was taken since the last cut; `elsewhere_bytes` is the partition's memory outside of the tables' files.
    pub(super) fn since_cut(&self, elsewhere_bytes: u64) -> SinceCut {
        let mut since = SinceCut {
            inputs: self.position.inputs_since_cut(),
            memory_bytes: elsewhere_bytes,
            first_input: self.position.first_input(),
            ..SinceCut::default()
        };
        for layer in &self.layers {
            since.add(layer);
        }
        since
    }

    /// Passes full batches to the encoders.
    ///
    /// # Errors
    /// When encoding failed.
    pub(super) async fn encode_full(&mut self) -> Result<(), StageError> {
        for layer in &mut self.layers {
            layer.encode_full().await?;
        }
        Ok(())
    }

    /// Ends all files after the last output taken; later outputs go into new ones.
    ///
    /// # Errors
    /// When encoding failed.
    pub(super) async fn cut(&mut self) -> Result<Cut, StageError> {
        let mut cut = Cut {
            tables: Vec::with_capacity(self.layers.len()),
            rows: self.rows_waiting(),
        };
        for layer in &mut self.layers {
            cut.tables.push(layer.close().await?);
        }
        self.position.cut();
        Ok(cut)
    }

    /// Rows that are neither committed nor in a cut.
    pub(super) fn rows_waiting(&self) -> u64 {
        self.layers.iter().map(LayerState::rows).sum()
    }
}

fn source<'a>(
    offset: i64,
    timestamp_ms: i64,
    key: Option<&'a Bytes>,
    value: &'a Bytes,
) -> Source<'a> {
    Source {
        offset,
        timestamp_ms,
        key: key.map(|key| key.as_ref()),
        value,
    }
}
