//! The featurizer of one partition.
//!
//! Always true:
//! - the watermark is the greatest event_time seen
//! - a tick further behind it than the lateness gets a row of nulls and is not remembered
//! - a tick within the lateness uses ticks less than 90 minutes older than itself; these are held, as is everything from
//!   watermark - lateness - 90 minutes on

use super::series::{LOOK_BACK_MS, Series};
use crate::coins::Coins;
use crate::duplicates::SourceOffsets;
use crate::params::{Emit, ParamError, Params};
use crate::record::{Input, Output};
use crate::rows::{Clean, CleanRecord, Features, WindowFeatures};
use crate::time::MINUTE_MS;

/// How often, in event time, quiet coins are freed.
const SWEEP_MS: i64 = 5 * MINUTE_MS;

/// Parameters of crypto-features.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeatureParams {
    /// `features` (default) or `all`.
    pub emit: Emit,
    /// How far behind the watermark a tick may be, in milliseconds; default 60 minutes. Set it to the
    /// same as for crypto-clean.
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
    /// [`ParamError`] names the parameter and the values it accepts.
    pub fn parse(mut params: Params) -> Result<Self, ParamError> {
        let emit = params.take_emit(&[("features", "features")])?;
        let lateness = params.take_lateness_ms("allowed_lateness")?;
        params.finish()?;
        Ok(Self {
            emit,
            allowed_lateness_ms: lateness.unwrap_or(Self::default().allowed_lateness_ms),
        })
    }

    /// How far behind the watermark the inputs reach that the state depends on: a stage's `horizon`.
    pub fn horizon_ms(&self) -> i64 {
        self.allowed_lateness_ms + LOOK_BACK_MS
    }
}

/// Computes the features of one partition's ticks.
///
/// ```
/// use market::{Clean, FeatureParams, Featurizer};
///
/// let tick = |minute: i64, price: f64| Clean {
///     raw_offset: None,
///     coin: "bitcoin".into(),
///     symbol: "btc".into(),
///     event_time: minute * 60_000,
///     fetched_at: None,
///     price,
///     market_cap: None,
///     volume_24h: None,
///     change_24h_pct: None,
///     backfilled: false,
/// };
/// let mut featurizer = Featurizer::new(FeatureParams::default());
/// featurizer.row(tick(0, 100.0));
/// let row = featurizer.row(tick(1, 102.0));
/// assert_eq!(row.windows.ma_5m, Some(101.0));
/// assert_eq!(row.windows.return_1m, Some(102.0 / 100.0 - 1.0));
/// ```
#[derive(Debug, Clone)]
pub struct Featurizer {
    params: FeatureParams,
    memory: Memory,
    /// Whether the memory comes from looking back only: nothing was streamed yet.
    looked_back: bool,
}

#[derive(Debug, Clone, Default)]
struct Memory {
    watermark: Option<i64>,
    seen: SourceOffsets,
    coins: Coins<Series>,
    sweep_at: i64,
}

impl Featurizer {
    /// A featurizer that has seen nothing.
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

    /// The row of a tick. If its coin and time are held already, the row of the tick that came first.
    pub fn row<'a>(&mut self, clean: Clean<'a>) -> Features<'a> {
        self.row_or_repeated(clean).0
    }

    /// The row, and whether it repeats one of an earlier tick.
    #[inline(always)]
    fn row_or_repeated<'a>(&mut self, clean: Clean<'a>) -> (Features<'a>, bool) {
        let time = clean.event_time;
        let watermark = self
            .memory
            .watermark
            .map_or(time, |watermark| watermark.max(time));
        self.memory.watermark = Some(watermark);
        let repeatable = watermark - self.params.allowed_lateness_ms;
        if time < repeatable {
            return (
                Features {
                    clean,
                    windows: WindowFeatures::undefined(),
                },
                false,
            );
        }
        let oldest = watermark - self.params.horizon_ms();
        if watermark >= self.memory.sweep_at {
            self.memory.sweep_at = watermark + SWEEP_MS;
            self.memory.coins.retain(|series| {
                series.forget_before(oldest, repeatable);
                !series.is_empty()
            });
        }
        let series = self.memory.coins.entry(&clean.coin);
        series.forget_before(oldest, repeatable);
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
                            raw_offset: None,
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

    /// Processes one record of crypto-clean; `false` if there is no output.
    pub fn process(&mut self, input: &Input<'_>, output: &mut Output) -> bool {
        match self.read(input) {
            Some(record) => {
                let (features, repeated) = self.row_or_repeated(record.clean);
                features.write(input.offset, record.fields.filter(|_| !repeated), output);
            }
            None if self.params.emit == Emit::All => output.none(input.offset),
            None => return false,
        }
        true
    }

    /// Remembers a record from before the stream.
    pub fn look_back(&mut self, input: &Input<'_>) {
        self.looked_back = false;
        if let Some(record) = self.read(input) {
            self.row(record.clean);
        }
        self.looked_back = true;
    }

    /// A record of crypto-clean, unless it is a duplicate.
    #[inline(always)]
    fn read<'a>(&mut self, input: &Input<'a>) -> Option<CleanRecord<'a>> {
        let record = Clean::read_record(input.value)?;
        if std::mem::take(&mut self.looked_back) && !self.memory.expects(&record) {
            self.memory = Memory::default();
        }
        self.memory
            .seen
            .is_new(record.source_offset)
            .then_some(record)
    }
}

impl Memory {
    /// Whether a record may follow the remembered ones. If not, the stream begins somewhere else.
    fn expects(&self, record: &CleanRecord<'_>) -> bool {
        match (record.source_offset, self.seen.greatest()) {
            (Some(offset), Some(greatest)) => offset > greatest,
            _ => self
                .watermark
                .is_none_or(|watermark| record.clean.event_time > watermark),
        }
    }
}
