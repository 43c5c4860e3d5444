//! Anomalies: a function of one row of features, with no memory but that of doubles.

use crate::json::ObjectWriter;
use crate::label;
use crate::params::{Emit, ParamError, Params};
use crate::record::{Input, Output};
use crate::rows::{Features, FeaturesRecord, WindowFeatures};

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

/// Whether the rule asks for this field of a row.
#[inline(always)]
fn is_asked_for(name: &str) -> bool {
    matches!(name, "zscore_15m" | "volume_ratio" | "volume_surge")
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
        let row = FeaturesRecord::read(input.value, is_asked_for)?;
        if let Some(offset) = row.source_offset {
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
        let (coin, symbol) = (row.coin, row.symbol?);
        let (event_time, price) = (row.event_time, row.price);

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

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn judge(
        zscore_15m: Option<f64>,
        volume_surge: Option<f64>,
        volume_ratio: Option<f64>,
    ) -> Option<Alert> {
        let windows = WindowFeatures {
            zscore_15m,
            volume_surge,
            volume_ratio,
            ..Default::default()
        };
        AnomalyRule::new(AnomalyParams::default()).judge(&windows)
    }

    #[test]
    fn spikes_begin_above_their_bounds() {
        assert_eq!(judge(None, None, None), None);
        assert_eq!(judge(Some(3.0), Some(3.0), Some(3.0)), None);
        let kinds = |alert: Option<Alert>| alert.unwrap().kinds.names().collect::<Vec<_>>();
        assert_eq!(kinds(judge(Some(-3.1), None, None)), ["price_spike"]);
        assert_eq!(kinds(judge(None, Some(3.1), None)), ["volume_spike"]);
        assert_eq!(kinds(judge(None, None, Some(3.1))), ["volume_spike"]);
        assert_eq!(
            kinds(judge(Some(4.0), Some(-9.0), Some(4.0))),
            ["price_spike", "volume_spike"]
        );
    }

    #[test]
    fn scores_and_severities_are_those_of_the_definition() {
        for (z, surge, ratio, score, severity) in [
            (Some(3.3), None, None, 0.1, Severity::Info),
            (Some(-3.75), None, None, 0.25, Severity::Warning),
            (Some(4.5), Some(7.5), None, 0.75, Severity::Critical),
            (Some(100.0), None, None, 1.0, Severity::Critical),
            (None, Some(9.75), None, 0.75, Severity::Critical),
            (None, Some(1e9), None, 1.0, Severity::Critical),
            // The ratio makes a spike, but no score.
            (None, None, Some(50.0), 0.0, Severity::Info),
        ] {
            let alert = judge(z, surge, ratio).unwrap();
            assert!((alert.score - score).abs() < 1e-12, "{alert:?}");
            assert_eq!(alert.severity, severity, "{alert:?}");
        }
    }

    #[test]
    fn bounds_can_be_moved() {
        let params = Params::new([
            ("price_zscore", "2"),
            ("volume_surge", "10"),
            ("min_severity", "info"),
        ]);
        let params = AnomalyParams::parse(params).unwrap();
        assert_eq!(params.min_severity, Severity::Info);
        let rule = AnomalyRule::new(params);
        let windows = |z, surge| WindowFeatures {
            zscore_15m: Some(z),
            volume_surge: Some(surge),
            ..Default::default()
        };
        assert_eq!(rule.judge(&windows(2.0, 10.0)), None);
        assert_eq!(rule.judge(&windows(3.0, 10.0)).unwrap().score, 0.5);
        assert_eq!(rule.judge(&windows(0.0, 25.0)).unwrap().score, 0.5);
    }

    #[test]
    fn only_what_is_severe_enough_is_told() {
        let mut output = Output::new();
        let mut told = |min_severity: &str, z: f64| {
            let params = Params::new([("min_severity", min_severity)]);
            let mut rule = AnomalyRule::new(AnomalyParams::parse(params).unwrap());
            let value = format!(
                r#"{{"zscore_15m":{z},"price":2.2e-7,"event_time":5,"symbol":"b","coin":"bitcoin","status":"features"}}"#
            );
            let input = Input {
                offset: 1,
                timestamp_ms: 1,
                key: None,
                value: value.as_bytes(),
            };
            rule.process(&input, &mut output)
        };
        assert!(told("info", 3.1) && !told("warning", 3.1) && !told("critical", 3.1));
        assert!(told("info", 4.0) && told("warning", 4.0) && !told("critical", 4.0));
        assert!(told("critical", -6.0));
        assert!(!told("info", 1.0));
        told("info", -6.0);
        let value: serde_json::Value = serde_json::from_slice(output.value()).unwrap();
        assert_eq!(value["alert_id"], "bitcoin:5");
        assert_eq!(
            value["message"],
            "bitcoin at 0.00000022 USD: price 6.0 standard deviations below its 15-minute mean"
        );
    }
}
