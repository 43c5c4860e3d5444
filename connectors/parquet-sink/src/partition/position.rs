//! How far a partition's input is taken.
//!
//! Always true: inputs are taken in order, each once.

use std::time::Instant;

use connector_runtime::record::Record;

use crate::config::StagePlan;
use crate::encode::envelope::Envelope;
use crate::error::StageError;
use crate::input::Item;
use crate::recovery::{ResumePlan, Watermark};

/// How far a partition's input is taken.
pub(super) struct Position {
    topic: String,
    partition: u32,
    generation: u32,
    /// The input whose output comes next.
    next: i64,
    /// The stream has reached the first input wanted.
    started: bool,
    /// The last input of the last cut.
    last_cut: i64,
    /// When the first input after the last cut came.
    first_input: Option<Instant>,
    /// For a module with state.
    watermark: Option<Watermark>,
    /// Where this stage drops the duplicates of a derived topic: the greatest `source_offset` so far.
    greatest_source: Option<i64>,
    last_record: Option<Record>,
    stores_last_record: bool,
}

/// What an output says about its input.
#[derive(Debug, Clone, Copy)]
pub(super) struct Origin {
    /// The input's offset.
    pub offset: i64,
    /// The record was in the derived topic before: a dead process's last append came late.
    pub is_duplicate: bool,
}

impl Position {
    pub(super) fn new(plan: &StagePlan, resume: &ResumePlan, topic: &str, partition: u32) -> Self {
        let state = plan.state.as_ref();
        Self {
            topic: topic.to_owned(),
            partition,
            generation: resume.generation,
            next: resume.open_at,
            started: false,
            last_cut: resume.committed,
            first_input: None,
            watermark: state.map(|state| Watermark::new(state.horizon_ms)),
            greatest_source: plan.drops_duplicates().then_some(resume.greatest_source),
            last_record: None,
            stores_last_record: plan.transforms.is_empty(),
        }
    }

    /// How many times the input topic was recreated.
    pub(super) fn generation(&self) -> u32 {
        self.generation
    }

    /// The input whose output comes next.
    pub(super) fn next(&self) -> i64 {
        self.next
    }

    /// The last input of the last cut.
    pub(super) fn last_cut(&self) -> i64 {
        self.last_cut
    }

    /// Number of inputs since the last cut.
    pub(super) fn inputs_since_cut(&self) -> u64 {
        u64::try_from(self.next - 1 - self.last_cut).unwrap_or(0)
    }

    /// When the first input since the last cut came.
    pub(super) fn first_input(&self) -> Option<Instant> {
        self.first_input
    }

    /// The first input that a restarted module must see to have the state it has after the last output taken.
    pub(super) fn resume_offset(&self) -> i64 {
        let lifted = self.watermark.as_ref().and_then(Watermark::resume_offset);
        lifted.unwrap_or(self.next).min(self.next)
    }

    /// Where this stage drops the duplicates of a derived topic: the greatest `source_offset` so far.
    pub(super) fn greatest_source(&self) -> Option<i64> {
        self.greatest_source
    }

    /// The last record taken, for a stage without modules.
    pub(super) fn last_record(&self) -> Option<&Record> {
        self.last_record.as_ref()
    }

    /// Finds the input of an output. `None`: it is of an input before the first one wanted.
    ///
    /// # Errors
    /// When it does not say, or it is not the next one.
    pub(super) fn origin(
        &mut self,
        item: &Item,
        envelope: &Envelope,
    ) -> Result<Option<Origin>, StageError> {
        let Some(offset) = item.offset.or(envelope.source_offset) else {
            let reason = "it has no integer `source_offset`".to_owned();
            return Err(self.bad_output(self.next, reason));
        };
        if offset < self.next && !self.started {
            // A cluster begins with the whole batch that the first input is in. More history does no harm.
            return Ok(None);
        }
        self.started = true;
        let is_duplicate = self.is_duplicate(offset, envelope)?;
        if item.offset.is_none() && offset != self.next {
            return Err(StageError::NotOnePerInput {
                topic: self.topic.clone(),
                partition: self.partition,
                expected: self.next,
                found: offset,
            });
        }
        Ok(Some(Origin {
            offset,
            is_duplicate,
        }))
    }

    fn is_duplicate(&self, offset: i64, envelope: &Envelope) -> Result<bool, StageError> {
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

    /// Notes that the output of the input at `offset` was taken; `time_ms` is its event time.
    pub(super) fn advance(
        &mut self,
        offset: i64,
        item: &Item,
        source_offset: Option<i64>,
        time_ms: Option<i64>,
        now: Instant,
    ) {
        if let (Some(watermark), Some(time_ms)) = (&mut self.watermark, time_ms) {
            watermark.observe(time_ms, offset);
        }
        if let (Some(greatest), Some(source)) = (&mut self.greatest_source, source_offset) {
            *greatest = source.max(*greatest);
        }
        self.next = offset + 1;
        if offset > self.last_cut {
            self.first_input.get_or_insert(now);
        }
        if self.stores_last_record {
            self.last_record = Some(Record {
                offset,
                timestamp_ms: item.timestamp_ms,
                key: item.key.clone(),
                value: item.value.clone(),
            });
        }
    }

    /// Notes a cut after the last output taken.
    pub(super) fn cut(&mut self) {
        self.last_cut = self.next - 1;
        self.first_input = None;
    }

    /// The error for an output that does not fit the configuration.
    pub(super) fn bad_output(&self, offset: i64, reason: String) -> StageError {
        StageError::BadOutput {
            topic: self.topic.clone(),
            partition: self.partition,
            offset,
            reason,
        }
    }
}
