//! What one partition's outputs become: rows of layers, records for topics.
//!
//! Always true: outputs are taken in the order of their inputs, one for every input, none twice; a destination gets
//! nothing it holds already. An output whose row belongs to a later day than its file is not taken: cut first, then give
//! it again. Nothing here waits or reads a clock.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use bytes::Bytes;
use connector_runtime::reader::Record;
use connector_runtime::writer::Outgoing;

use crate::commit::EmptyMain;
use crate::cut::SinceCut;
use crate::envelope::{Envelope, EnvelopeReader, Route};
use crate::error::StageError;
use crate::file::OpenFile;
use crate::input::Item;
use crate::layer::LayerState;
use crate::meters::Meters;
use crate::outputs::Pending;
use crate::plan::StagePlan;
use crate::read_back::ReadBack;
use crate::recover::ResumePlan;
use crate::rows::Source;
use crate::schema::LayerSchema;
use crate::status::StageStatus;
use crate::watermark::Watermark;
use lake::FileName;

/// What became of an output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It is where it belongs.
    Taken,
    /// It is where it belongs, and a file has all the rows it may have.
    Full,
    /// Nothing happened: it belongs into later files; cut and give it again.
    CutFirst,
}

/// The state of one partition between input and destinations.
pub struct Assembly {
    topic: String,
    partition: u32,
    envelopes: EnvelopeReader,
    destinations: Vec<Destination>,
    /// The main layer first.
    layers: Vec<LayerState>,
    /// One for each output topic.
    pub topics: Vec<TopicState>,
    watermark: Option<Watermark>,
    /// The input whose output comes next.
    next: i64,
    /// The stream has come to the first wanted input.
    started: bool,
    /// The last input of the last cut.
    last_cut: i64,
    generation: u32,
    first_input: Option<Instant>,
    last_record: Option<Record>,
    keeps_last_record: bool,
    stage_status: Arc<StageStatus>,
    routed: Routed,
    /// Of a derived topic: the greatest input its records were made from.
    greatest_source: Option<i64>,
}

/// Outputs since they were last counted.
struct Routed {
    /// By destination.
    to: Vec<u64>,
    ignored: u64,
}

struct Destination {
    layer: Option<usize>,
    topic: Option<usize>,
}

/// An output topic's records since the last time they were handed over.
pub struct TopicState {
    /// Its name.
    pub name: String,
    /// To be handed over.
    pub pending: Vec<Pending>,
    /// The last input whose output was put into `pending`, or that the topic held before.
    pub last_output: i64,
    stands_at: i64,
    /// Rows that come from the topic itself.
    pub read_back: Option<ReadBack>,
}

/// All files of a cut.
pub struct CutFiles {
    /// Of the main layer; `None`: it has no row.
    pub main: Option<OpenFile>,
    /// Of the other layers, those with rows.
    pub side: Vec<OpenFile>,
    /// Rows in all of them.
    pub rows: u64,
}

impl Assembly {
    /// Ready for the output of the input at `resume.open_at`.
    pub fn new(
        plan: &StagePlan,
        topic: &str,
        partition: u32,
        resume: &ResumePlan,
        read_backs: Vec<Option<ReadBack>>,
        status: &Arc<StageStatus>,
    ) -> Self {
        let file_name = FileName {
            topic: topic.to_owned(),
            partition,
            generation: resume.generation,
            offset: 0,
        };
        let mut layers = Vec::new();
        let mut topics = Vec::new();
        let mut destinations = Vec::new();
        let side = std::iter::once(&resume.committed).chain(&resume.side_layers);
        let mut stands = side.copied();
        let mut read_backs = read_backs.into_iter();
        for destination in &plan.destinations {
            let layer = destination.layer.as_ref().map(|layer| {
                layers.push(LayerState::new(
                    LayerSchema::new(layer),
                    file_name.clone(),
                    plan.limits.rows_max,
                    stands.next().unwrap_or(resume.committed),
                    plan.state.as_ref().map(|state| state.time_field.as_str()),
                    status.destination(destination.label()),
                ));
                layers.len() - 1
            });
            let topic = destination.topic.as_ref().map(|name| {
                let plan = &resume.topics[topics.len()];
                topics.push(TopicState {
                    name: name.clone(),
                    pending: Vec::new(),
                    last_output: plan.stands_at,
                    stands_at: plan.stands_at,
                    read_back: read_backs.next().flatten(),
                });
                topics.len() - 1
            });
            destinations.push(Destination { layer, topic });
        }
        let routed = Routed {
            to: vec![0; destinations.len()],
            ignored: 0,
        };
        Self {
            topic: topic.to_owned(),
            partition,
            envelopes: EnvelopeReader::new(plan),
            destinations,
            layers,
            topics,
            watermark: plan.state.as_ref().map(|s| Watermark::new(s.horizon_ms)),
            next: resume.open_at,
            started: false,
            last_cut: resume.committed,
            generation: resume.generation,
            first_input: None,
            last_record: None,
            keeps_last_record: plan.transforms.is_empty(),
            stage_status: status.clone(),
            routed,
            greatest_source: plan.ignores_doubles().then_some(resume.greatest_source),
        }
    }

    /// The input whose output comes next.
    pub fn next(&self) -> i64 {
        self.next
    }

    /// The last input of the last cut.
    pub fn last_cut(&self) -> i64 {
        self.last_cut
    }

    /// How often the input topic was made anew.
    pub fn generation(&self) -> u32 {
        self.generation
    }

    /// Where a fresh module must begin, to be where this one is after the last output taken.
    pub fn resume_offset(&self) -> i64 {
        let lifted = self.watermark.as_ref().and_then(Watermark::resume_offset);
        lifted.unwrap_or(self.next).min(self.next)
    }

    /// Of a derived topic: the greatest input its records were made from.
    pub fn greatest_source(&self) -> Option<i64> {
        self.greatest_source
    }

    /// The last record taken, of a stage without modules.
    pub fn last_record(&self) -> Option<&Record> {
        self.last_record.as_ref()
    }

    /// Takes one output.
    ///
    /// # Errors
    /// When it is not what the configuration promised. Everything before it was taken and can be cut.
    pub fn take(&mut self, item: Item<'_>, now: Instant) -> Result<Step, StageError> {
        let envelope = self
            .envelopes
            .read(item.value)
            .map_err(|reason| self.bad_output(self.next, reason))?;
        let offset = match (item.offset, envelope.source_offset) {
            (Some(offset), _) => offset,
            (None, Some(offset)) => offset,
            (None, None) => {
                let reason = "it has no integer `source_offset`".to_owned();
                return Err(self.bad_output(self.next, reason));
            }
        };
        if offset < self.next && !self.started {
            // A cluster begins with the whole batch that the first wanted input is in. More history does no harm.
            return Ok(Step::Taken);
        }
        self.started = true;
        let double = self.is_double(offset, &envelope)?;
        if item.offset.is_none() && offset != self.next {
            return Err(StageError::NotOnePerInput {
                topic: self.topic.clone(),
                partition: self.partition,
                expected: self.next,
                found: offset,
            });
        }
        let routed = match envelope.route {
            _ if double => None,
            Route::To(destination) => Some(destination),
            Route::Ignored => None,
            Route::Unknown(value) => {
                let reason = format!(
                    "no destination takes the routing value `{value}`; add one, or list it under parquet.ignore"
                );
                return Err(self.bad_output(offset, reason));
            }
            Route::Absent => {
                let reason = "it has no routing field".to_owned();
                return Err(self.bad_output(offset, reason));
            }
        };
        let from_topic = self.read_back(offset);
        let (destination, source) = match &from_topic {
            Some((destination, record)) => (
                Some(*destination),
                source(offset, -1, record.key.as_ref(), &record.value),
            ),
            None => (
                routed,
                source(offset, item.timestamp_ms, item.key, item.value),
            ),
        };
        let mut step = Step::Taken;
        let mut time_ms = None;
        if let Some(destination) = destination
            && (from_topic.is_some() || !self.topic_knows_better(destination, offset))
            && let Some(layer) = self.destinations[destination].layer
            && offset > self.last_cut
        {
            let pushed = self.layers[layer].push(source, now);
            (step, time_ms) = pushed.map_err(|reason| self.bad_output(offset, reason))?;
        }
        if step == Step::CutFirst {
            if let Some((destination, record)) = from_topic {
                self.give_back(destination, offset, record);
            }
            return Ok(step);
        }
        if from_topic.is_none()
            && let Some(destination) = routed
            && let Some(topic) = self.destinations[destination].topic
        {
            let topic = &mut self.topics[topic];
            if offset > topic.stands_at {
                topic.last_output = offset;
                topic.pending.push(Pending {
                    source_offset: offset,
                    record: Outgoing {
                        key: item.key.cloned(),
                        value: item.value.clone(),
                    },
                });
            }
        }
        if let Some(watermark) = &mut self.watermark {
            // What the module said counts, which need not be what the topic holds.
            let time_ms = time_ms.filter(|_| from_topic.is_none());
            if let Some(time_ms) = time_ms.or_else(|| self.envelopes.time_ms(item.value)) {
                watermark.observe(time_ms, offset);
            }
        }
        match routed {
            Some(destination) => self.routed.to[destination] += 1,
            None => {
                self.routed.ignored += 1;
                self.stage_status.ignored.fetch_add(1, Ordering::Relaxed);
            }
        }
        if let (Some(greatest), Some(source)) = (&mut self.greatest_source, envelope.source_offset)
        {
            *greatest = source.max(*greatest);
        }
        self.next = offset + 1;
        if offset > self.last_cut {
            self.first_input.get_or_insert(now);
        }
        if self.keeps_last_record {
            self.last_record = Some(Record {
                offset,
                timestamp_ms: item.timestamp_ms,
                key: item.key.cloned(),
                value: item.value.clone(),
            });
        }
        Ok(step)
    }

    /// A record of a derived topic that was there before: the last append of a process that died came late.
    fn is_double(&self, offset: i64, envelope: &Envelope) -> Result<bool, StageError> {
        let Some(greatest) = self.greatest_source else {
            return Ok(false);
        };
        match envelope.source_offset {
            Some(source) => Ok(source <= greatest),
            None => {
                let reason = "it has no integer `source_offset`, but `parquet.derived` says it is another stage's output";
                Err(self.bad_output(offset, reason.to_owned()))
            }
        }
    }

    /// The output that a topic ahead of the lake already holds for this input.
    fn read_back(&mut self, offset: i64) -> Option<(usize, Record)> {
        let destinations = self.destinations.iter().enumerate();
        for (i, topic) in destinations.filter_map(|(i, d)| Some((i, d.topic?))) {
            if let Some(read_back) = &mut self.topics[topic].read_back
                && let Some(record) = read_back.take(offset)
            {
                return Some((i, record));
            }
        }
        None
    }

    fn give_back(&mut self, destination: usize, offset: i64, record: Record) {
        if let Some(topic) = self.destinations[destination].topic
            && let Some(read_back) = &mut self.topics[topic].read_back
        {
            read_back.give_back(offset, record);
        }
    }

    /// The topic is past this input and holds no output for it: then the lake gets none either.
    fn topic_knows_better(&self, destination: usize, offset: i64) -> bool {
        let Some(topic) = self.destinations[destination].topic else {
            return false;
        };
        let topic = &self.topics[topic];
        let read_back = topic.read_back.as_ref();
        offset <= topic.stands_at && read_back.is_some_and(|r| r.covers(offset))
    }

    fn bad_output(&self, offset: i64, reason: String) -> StageError {
        StageError::BadOutput {
            topic: self.topic.clone(),
            partition: self.partition,
            offset,
            reason,
        }
    }

    /// Counts the outputs taken since the last call, by where they went.
    pub fn count_outputs(&mut self, meters: &Meters) {
        for (outputs, meter) in self.routed.to.iter_mut().zip(&meters.outputs) {
            meter.increment(std::mem::take(outputs));
        }
        meters
            .ignored
            .increment(std::mem::take(&mut self.routed.ignored));
    }

    /// What has come since the last cut, `elsewhere_bytes` held by others included.
    pub fn since_cut(&self, elsewhere_bytes: u64) -> SinceCut {
        let mut since = SinceCut {
            inputs: u64::try_from(self.next - 1 - self.last_cut).unwrap_or(0),
            memory_bytes: elsewhere_bytes,
            first_input: self.first_input,
            ..SinceCut::default()
        };
        for layer in &self.layers {
            layer.count(&mut since);
        }
        since
    }

    /// Hands batches that are full to the encoders.
    ///
    /// # Errors
    /// When encoding failed.
    pub async fn encode_full(&mut self) -> Result<(), StageError> {
        for layer in &mut self.layers {
            layer.encode_full().await?;
        }
        Ok(())
    }

    /// Takes the files of everything up to the last output taken; later outputs go into new ones.
    ///
    /// # Errors
    /// When encoding failed.
    pub async fn cut(&mut self) -> Result<CutFiles, StageError> {
        let mut files = CutFiles {
            main: None,
            side: Vec::new(),
            rows: 0,
        };
        for (i, layer) in self.layers.iter_mut().enumerate() {
            files.rows += layer.file_rows();
            let file = layer.close().await?;
            match (i, file) {
                (0, file) => files.main = file,
                (_, Some(file)) => files.side.push(file),
                (_, None) => {}
            }
        }
        self.last_cut = self.next - 1;
        self.first_input = None;
        Ok(files)
    }

    /// The main layer's file of a cut in which it has no row: it is named after the first input it covers.
    pub fn empty_main(&self, day: Option<i32>, first_offset: i64) -> EmptyMain {
        EmptyMain {
            day,
            name: FileName {
                topic: self.topic.clone(),
                partition: self.partition,
                generation: self.generation,
                offset: first_offset,
            },
            schema: self.layers[0].schema().clone(),
        }
    }

    /// Rows that are in no committed file and in no cut.
    pub fn rows_waiting(&self) -> u64 {
        self.layers.iter().map(LayerState::file_rows).sum()
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
