//! Anomalies: a function of one row of features, with no memory but that of doubles.

use crate::json::{ObjectWriter, Value, read_object};
use crate::label;
use crate::params::{Emit, ParamError, Params};
use crate::record::{Input, Output};
use crate::rows::{Features, Origin, WindowFeatures, event_time, finite, nullable};

/// How bad an anomaly is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// A score below 0.25.
    Info,
    /// A score from 0.25.
    Warning,
    /// A score from 0.75.
    Critical,
}

impl Severity {
    /// All of them, mildest first.
    pub const ALL: [Self; 3] = [Self::Info, Self::Warning, Self::Critical];

    /// What the topic and the lake call it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }

    /// The severity of a score.
    pub fn of_score(score: f64) -> Self {
        if score >= 0.75 {
            Self::Critical
        } else if score >= 0.25 {
            Self::Warning
        } else {
            Self::Info
        }
    }
}

/// What crypto-anomaly can be told.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AnomalyParams {
    /// `alerts` (default) or `all`.
    pub emit: Emit,
    /// From which |zscore_15m| on a price is a spike; 3 unless told otherwise.
    pub price_zscore: f64,
    /// From which volume_surge or volume_ratio on a volume is a spike; 3 unless told otherwise.
    pub volume_surge: f64,
    /// The mildest severity to tell about; warning unless told otherwise.
    pub min_severity: Severity,
}

impl Default for AnomalyParams {
    fn default() -> Self {
        Self {
            emit: Emit::Only("alert"),
            price_zscore: 3.0,
            volume_surge: 3.0,
            min_severity: Severity::Warning,
        }
    }
}

impl AnomalyParams {
    /// Reads `emit`, `price_zscore`, `volume_surge` and `min_severity`.
    ///
    /// # Errors
    ///
    /// [`ParamError`] names what is wrong and what to give instead.
    pub fn parse(mut params: Params) -> Result<Self, ParamError> {
        let default = Self::default();
        let emit = params.take_emit(&[("alerts", "alert")])?;
        let price_zscore = params.take_positive("price_zscore")?;
        let volume_surge = params.take_positive("volume_surge")?;
        let expected = "`info`, `warning` or `critical`";
        let min_severity = params.take("min_severity", expected, |value| {
            Severity::ALL
                .into_iter()
                .find(|severity| severity.as_str() == value)
        })?;
        params.finish()?;
        Ok(Self {
            emit,
            price_zscore: price_zscore.unwrap_or(default.price_zscore),
            volume_surge: volume_surge.unwrap_or(default.volume_surge),
            min_severity: min_severity.unwrap_or(default.min_severity),
        })
    }
}

/// What is anomalous about a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Kinds {
    /// |zscore_15m| above its bound.
    pub price_spike: bool,
    /// volume_surge or volume_ratio above its bound.
    pub volume_spike: bool,
}

impl Kinds {
    /// What the topic and the lake call them.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let price = self.price_spike.then_some("price_spike");
        let volume = self.volume_spike.then_some("volume_spike");
        price.into_iter().chain(volume)
    }
}

/// What the rule says about a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Alert {
    /// What is anomalous, at least one of them.
    pub kinds: Kinds,
    /// How bad it is.
    pub severity: Severity,
    /// Between 0 and 1.
    pub score: f64,
}

/// The rule, with its bounds.
#[derive(Debug, Clone)]
pub struct AnomalyRule {
    params: AnomalyParams,
    /// The greatest source_offset seen; a record not above it is a double.
    source_offset: Option<i64>,
}

/// What the rule needs of a row of crypto-features.
#[derive(Default)]
struct Row<'a> {
    origin: Origin<'a>,
    coin: Option<Value<'a>>,
    symbol: Option<Value<'a>>,
    event_time: Option<i64>,
    price: Option<f64>,
    windows: WindowFeatures,
}

impl<'a> Row<'a> {
    fn read(payload: &'a [u8]) -> Option<Self> {
        let mut row = Self::default();
        let mut sound = true;
        read_object(payload, |name, value| {
            row.origin.read(name, value);
            sound &= row.read_field(name, value).is_some();
        })
        .ok()?;
        (sound && row.origin.is("features")).then_some(row)
    }

    fn read_field(&mut self, name: &str, value: Value<'a>) -> Option<()> {
        match name {
            "coin" => self.coin = Some(value),
            "symbol" => self.symbol = Some(value),
            "event_time" => self.event_time = Some(event_time(value)?),
            "price" => self.price = Some(finite(value)?),
            "zscore_15m" => self.windows.zscore_15m = nullable(value, finite)?,
            "volume_ratio" => self.windows.volume_ratio = nullable(value, finite)?,
            "volume_surge" => self.windows.volume_surge = nullable(value, finite)?,
            _ => {}
        }
        Some(())
    }
}

impl AnomalyRule {
    /// The rule with these bounds.
    pub fn new(params: AnomalyParams) -> Self {
        Self {
            params,
            source_offset: None,
        }
    }

    /// What there is to say about a row; `None` if nothing is anomalous. The least severity that is told about plays
    /// no part here.
    pub fn judge(&self, windows: &WindowFeatures) -> Option<Alert> {
        let AnomalyParams {
            price_zscore,
            volume_surge,
            ..
        } = self.params;
        let z = windows.zscore_15m.map_or(0.0, f64::abs);
        let surge = windows.volume_surge.unwrap_or(0.0);
        let ratio = windows.volume_ratio.unwrap_or(0.0);
        let kinds = Kinds {
            price_spike: z > price_zscore,
            volume_spike: surge > volume_surge || ratio > volume_surge,
        };
        if kinds == Kinds::default() {
            return None;
        }
        let price_score = ((z - price_zscore) / price_zscore).clamp(0.0, 1.0);
        let volume_score = ((surge - volume_surge) / (3.0 * volume_surge)).clamp(0.0, 1.0);
        let score = price_score + volume_score - price_score * volume_score;
        Some(Alert {
            kinds,
            severity: Severity::of_score(score),
            score,
        })
    }

    /// What there is to say about a row of features.
    pub fn judge_row(&self, features: &Features<'_>) -> Option<Alert> {
        self.judge(&features.windows)
    }

    /// Answers one record; `false` if there is nothing to answer.
    pub fn process(&mut self, input: &Input<'_>, output: &mut Output) -> bool {
        if self.alert(input, output).is_some() {
            return true;
        }
        let all = self.params.emit == Emit::All;
        if all {
            output.none(input.offset);
        }
        all
    }

    fn alert(&mut self, input: &Input<'_>, output: &mut Output) -> Option<()> {
        let row = Row::read(input.value)?;
        if let Some(offset) = row.origin.source_offset {
            if self
                .source_offset
                .is_some_and(|greatest| offset <= greatest)
            {
                return None;
            }
            self.source_offset = Some(offset);
        }
        let alert = self.judge(&row.windows)?;
        if alert.severity < self.params.min_severity {
            return None;
        }
        let coin = row.coin?.text()?.decode()?;
        let symbol = row.symbol?.text()?.decode()?;
        let (event_time, price) = (row.event_time?, row.price?);

        output.start(Some(coin.as_bytes()));
        let mut object = ObjectWriter::record(&mut output.value, input.offset, "alert");
        object.text(label!("alert_id"), &format!("{coin}:{event_time}"));
        object.text(label!("coin"), &coin);
        object.text(label!("symbol"), &symbol);
        object.integer(label!("event_time"), event_time);
        object.number(label!("price"), price);
        object.words(label!("kinds"), alert.kinds.names());
        object.word(label!("severity"), alert.severity.as_str());
        object.number(label!("score"), alert.score);
        object.optional_number(label!("zscore_15m"), row.windows.zscore_15m);
        object.optional_number(label!("volume_surge"), row.windows.volume_surge);
        object.optional_number(label!("volume_ratio"), row.windows.volume_ratio);
        object.text(
            label!("message"),
            &message(&coin, price, alert.kinds, &row.windows),
        );
        object.end();
        Some(())
    }
}

/// The alert in a sentence.
fn message(coin: &str, price: f64, kinds: Kinds, windows: &WindowFeatures) -> String {
    let mut message = format!("{coin} at {price} USD: ");
    if kinds.price_spike {
        let z = windows.zscore_15m.unwrap_or_default();
        let side = if z > 0.0 { "above" } else { "below" };
        message += &format!(
            "price {:.1} standard deviations {side} its 15-minute mean",
            z.abs()
        );
    }
    if kinds.volume_spike {
        if kinds.price_spike {
            message += ", ";
        }
        let surge = windows.volume_surge.unwrap_or_default();
        let ratio = windows.volume_ratio.unwrap_or_default();
        if surge >= ratio {
            message += &format!("volume {surge:.1} times its daily average");
        } else {
            message += &format!("24-hour volume {ratio:.1} times its 15-minute mean");
        }
    }
    message
}
