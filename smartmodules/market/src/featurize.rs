//! Features: every clean tick with what the minutes before it say.
//!
//! Always true:
//! - the watermark is the greatest event_time seen
//! - a tick further behind it than the lateness is answered with nulls and not remembered
//! - a tick within the lateness consults ticks less than 30 minutes older than itself: those are held, because
//!   everything from watermark - lateness - 30 minutes on is

use crate::MINUTE_MS;
use crate::coins::Coins;
use crate::params::{Emit, ParamError, Params};
use crate::record::{Input, Output};
use crate::rows::{Clean, CleanRecord, Features, WindowFeatures};
use crate::series::Series;

/// How much older than a tick those may be that its features are made of, through the log_returns in its windows.
const REACH_MS: i64 = 30 * MINUTE_MS;

/// How often, in event time, coins that went quiet are freed.
const SWEEP_MS: i64 = 5 * MINUTE_MS;

/// What crypto-features can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeatureParams {
    /// `features` (default) or `all`.
    pub emit: Emit,
    /// How far behind the watermark a tick may be, in milliseconds; 60 minutes unless told otherwise. The same as for
    /// crypto-clean.
    pub allowed_lateness_ms: i64,
}

impl Default for FeatureParams {
    fn default() -> Self {
        Self {
            emit: Emit::Only("features"),
            allowed_lateness_ms: 60 * MINUTE_MS,
        }
    }
}

impl FeatureParams {
    /// Reads `emit` and `allowed_lateness`.
    ///
    /// # Errors
    ///
    /// [`ParamError`] names what is wrong and what to give instead.
    pub fn parse(mut params: Params) -> Result<Self, ParamError> {
        let emit = params.take_emit(&[("features", "features")])?;
        let lateness = params.take_lateness_ms("allowed_lateness")?;
        params.finish()?;
        Ok(Self {
            emit,
            allowed_lateness_ms: lateness.unwrap_or(Self::default().allowed_lateness_ms),
        })
    }

    /// How far behind the watermark the inputs reach that the state is made of: a stage's `horizon`.
    pub fn horizon_ms(&self) -> i64 {
        self.allowed_lateness_ms + REACH_MS
    }
}

/// Makes the features of one partition's ticks.
#[derive(Debug, Clone)]
pub struct Featurizer {
    params: FeatureParams,
    memory: Memory,
    /// Whether the memory comes from looking back, and nothing was streamed yet.
    looked_back: bool,
}

#[derive(Debug, Clone, Default)]
struct Memory {
    watermark: Option<i64>,
    /// The greatest source_offset seen; a record not above it is a double.
    source_offset: Option<i64>,
    coins: Coins<Series>,
    sweep_at: i64,
}

impl Featurizer {
    /// One that has seen nothing.
    pub fn new(params: FeatureParams) -> Self {
        Self {
            params,
            memory: Memory::default(),
            looked_back: false,
        }
    }

    /// The greatest event_time seen so far.
    pub fn watermark(&self) -> Option<i64> {
        self.memory.watermark
    }

    /// The row of a tick. When its coin and time are held already, it is the row of the tick that came first.
    pub fn row<'a>(&mut self, clean: Clean<'a>) -> Features<'a> {
        self.row_or_again(clean).0
    }

    /// The row, and whether it is one given before.
    #[inline(always)]
    fn row_or_again<'a>(&mut self, clean: Clean<'a>) -> (Features<'a>, bool) {
        let time = clean.event_time;
        let watermark = self
            .memory
            .watermark
            .map_or(time, |watermark| watermark.max(time));
        self.memory.watermark = Some(watermark);
        if time < watermark - self.params.allowed_lateness_ms {
            return (
                Features {
                    clean,
                    windows: WindowFeatures::default(),
                },
                false,
            );
        }
        let oldest = watermark - self.params.horizon_ms();
        if watermark >= self.memory.sweep_at {
            self.memory.sweep_at = watermark + SWEEP_MS;
            self.memory.coins.retain(|series| {
                series.forget_before(oldest);
                !series.is_empty()
            });
        }
        let series = self.memory.coins.entry(&clean.coin);
        series.forget_before(oldest);
        match series.insert(&clean) {
            Ok(place) => (
                Features {
                    clean,
                    windows: series.features(place),
                },
                false,
            ),
            Err(place) => {
                let (first, windows) = series.first_row(place);
                (
                    Features {
                        clean: Clean {
                            coin: clean.coin,
                            ..first
                        },
                        windows,
                    },
                    true,
                )
            }
        }
    }

    /// Answers one record; `false` if there is nothing to answer.
    pub fn process(&mut self, input: &Input<'_>, output: &mut Output) -> bool {
        match self.read(input) {
            Some(record) => {
                let (features, again) = self.row_or_again(record.clean);
                features.write(input.offset, record.fields.filter(|_| !again), output);
            }
            None if self.params.emit == Emit::All => output.none(input.offset),
            None => return false,
        }
        true
    }

    /// Takes note of a record from before the stream.
    pub fn look_back(&mut self, input: &Input<'_>) {
        self.looked_back = false;
        if let Some(record) = self.read(input) {
            self.row(record.clean);
        }
        self.looked_back = true;
    }

    /// A record of crypto-clean, unless it is a double of one that was read before.
    #[inline(always)]
    fn read<'a>(&mut self, input: &Input<'a>) -> Option<CleanRecord<'a>> {
        let record = Clean::read_record(input.value)?;
        if std::mem::take(&mut self.looked_back) && !self.memory.expects(&record) {
            self.memory = Memory::default();
        }
        if let Some(offset) = record.source_offset {
            if self
                .memory
                .source_offset
                .is_some_and(|greatest| offset <= greatest)
            {
                return None;
            }
            self.memory.source_offset = Some(offset);
        }
        Some(record)
    }
}

impl Memory {
    /// Whether a record could come right after what is remembered. If not, the stream began somewhere else.
    fn expects(&self, record: &CleanRecord<'_>) -> bool {
        match (record.source_offset, self.source_offset) {
            (Some(offset), Some(greatest)) => offset > greatest,
            _ => self
                .watermark
                .is_none_or(|watermark| record.clean.event_time > watermark),
        }
    }
}
