//! The anomaly rule.

use super::alert::{Alert, Kinds, Severity, message};
use super::params::AnomalyParams;
use crate::duplicates::SourceOffsets;
use crate::json::ObjectWriter;
use crate::label;
use crate::params::Emit;
use crate::record::{Input, Output};
use crate::rows::{Features, FeaturesRecord, WindowFeatures};

/// The rule, with its bounds.
///
/// ```
/// use market::{AnomalyParams, AnomalyRule, Severity, WindowFeatures};
///
/// let rule = AnomalyRule::new(AnomalyParams::default());
/// let windows = WindowFeatures { zscore_15m: Some(-6.0), ..Default::default() };
/// let alert = rule.judge(&windows).expect("a price spike");
/// assert!(alert.kinds.price_spike && !alert.kinds.volume_spike);
/// assert_eq!((alert.score, alert.severity), (1.0, Severity::Critical));
/// ```
#[derive(Debug, Clone)]
pub struct AnomalyRule {
    params: AnomalyParams,
    seen: SourceOffsets,
}

/// Whether the rule uses this field of a row.
#[inline(always)]
fn is_used(name: &str) -> bool {
    matches!(name, "zscore_15m" | "volume_ratio" | "volume_surge")
}

impl AnomalyRule {
    /// The rule with these bounds.
    pub fn new(params: AnomalyParams) -> Self {
        Self {
            params,
            seen: SourceOffsets::default(),
        }
    }

    /// Judges a row; `None` if nothing is anomalous. Ignores `min_severity`.
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

    /// Judges a row of features; see [`Self::judge`].
    pub fn judge_row(&self, features: &Features<'_>) -> Option<Alert> {
        self.judge(&features.windows)
    }

    /// Processes one record of crypto-features; `false` if there is no output.
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

    /// Writes the alert, if the record deserves one.
    fn alert(&mut self, input: &Input<'_>, output: &mut Output) -> Option<()> {
        let row = FeaturesRecord::read(input.value, is_used)?;
        if !self.seen.is_new(row.source_offset) {
            return None;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::Params;

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
    fn a_spike_is_above_its_bound() {
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
            // The ratio makes a spike, but does not count for the score.
            (None, None, Some(50.0), 0.0, Severity::Info),
        ] {
            let alert = judge(z, surge, ratio).unwrap();
            assert!((alert.score - score).abs() < 1e-12, "{alert:?}");
            assert_eq!(alert.severity, severity, "{alert:?}");
        }
    }

    #[test]
    fn bounds_are_parameters() {
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
    fn only_alerts_of_min_severity_are_written() {
        let mut output = Output::new();
        let mut alerts = |min_severity: &str, z: f64| {
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
        assert!(alerts("info", 3.1) && !alerts("warning", 3.1) && !alerts("critical", 3.1));
        assert!(alerts("info", 4.0) && alerts("warning", 4.0) && !alerts("critical", 4.0));
        assert!(alerts("critical", -6.0));
        assert!(!alerts("info", 1.0));
        alerts("info", -6.0);
        let value: serde_json::Value = serde_json::from_slice(output.value()).unwrap();
        assert_eq!(value["alert_id"], "bitcoin:5");
        assert_eq!(
            value["message"],
            "bitcoin at 0.00000022 USD: price 6.0 standard deviations below its 15-minute mean"
        );
    }
}
