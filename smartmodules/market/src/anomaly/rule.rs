//! The anomaly rule, and what becomes of it and the user's rules: an alert.

use super::alert::{Alert, Kinds, Severity};
use super::message::{Price, message};
use super::params::AnomalyParams;
use super::rules::Rule;
use crate::duplicates::SourceOffsets;
use crate::json::ObjectWriter;
use crate::label;
use crate::params::Emit;
use crate::record::{Input, Output};
use crate::rows::{Features, FeaturesRecord, FieldSet, WindowFeatures};

/// The rule, with its bounds.
///
/// ```
/// use market::{AnomalyParams, AnomalyRule, Severity, WindowFeatures};
///
/// let rule = AnomalyRule::new(AnomalyParams::default());
/// let windows = WindowFeatures { zscore_15m: Some(-7.0), move_15m: Some(-0.03), ..Default::default() };
/// let alert = rule.judge(&windows).expect("a price spike");
/// assert!(alert.kinds.price_spike && !alert.kinds.volume_spike);
/// assert_eq!((alert.score, alert.severity), (1.0, Severity::Critical));
/// ```
#[derive(Debug, Clone)]
pub struct AnomalyRule {
    params: AnomalyParams,
    seen: SourceOffsets,
    /// The places of the user's rules that hold for the row at hand.
    held: Vec<u16>,
}

/// How far above its bound a number reaches the score 1, as a multiple of the bound.
mod reach {
    pub(super) const ZSCORE: f64 = 4.0 / 3.0;
    pub(super) const MOVE: f64 = 2.5;
    pub(super) const RETURN: f64 = 1.5;
    pub(super) const SURGE: f64 = 3.0;
}

/// The fields of a row that the built-in rule uses, or an alert has.
const USED: FieldSet = FieldSet::of(&[
    "samples_15m",
    "return_15m",
    "zscore_15m",
    "return_zscore_15m",
    "volume_ratio",
    "move_15m",
    "volume_surge",
]);

/// 0 up to the bound, 1 from `reach` times the bound above it, and in between in proportion.
fn score_above(number: f64, bound: f64, reach: f64) -> f64 {
    ((number - bound) / (bound * reach)).clamp(0.0, 1.0)
}

impl AnomalyRule {
    /// The rule with these bounds.
    pub fn new(params: AnomalyParams) -> Self {
        Self {
            params,
            seen: SourceOffsets::default(),
            held: Vec::new(),
        }
    }

    /// Judges a row by the built-in rule; `None` if nothing is anomalous. Ignores `min_severity`.
    pub fn judge(&self, windows: &WindowFeatures) -> Option<Alert> {
        let AnomalyParams {
            price_zscore,
            min_move,
            min_return,
            volume_surge,
            ..
        } = self.params;
        let zscore = windows.zscore_15m.map_or(0.0, f64::abs);
        let moved = windows.move_15m.map_or(0.0, f64::abs);
        let return_zscore = windows.return_zscore_15m.map_or(0.0, f64::abs);
        let returned = windows.return_15m.map_or(0.0, f64::abs);
        let surge = windows.volume_surge.unwrap_or(0.0);
        let ratio = windows.volume_ratio.unwrap_or(0.0);
        let kinds = Kinds {
            price_spike: zscore > price_zscore && moved > min_move,
            price_move: return_zscore > price_zscore && returned > min_return,
            volume_spike: surge > volume_surge || ratio > volume_surge,
        };
        if kinds == Kinds::default() {
            return None;
        }
        let spike_score = score_above(zscore, price_zscore, reach::ZSCORE).min(score_above(
            moved,
            min_move,
            reach::MOVE,
        ));
        let move_score = score_above(return_zscore, price_zscore, reach::ZSCORE).min(score_above(
            returned,
            min_return,
            reach::RETURN,
        ));
        let price_score = spike_score.max(move_score);
        let volume_score = score_above(surge, volume_surge, reach::SURGE);
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
        let rules = &self.params.rules;
        // Two readers: without rules the compiler knows which fields are skipped.
        let row = match rules.is_empty() {
            true => FeaturesRecord::read(input.value, USED)?,
            false => FeaturesRecord::read(input.value, USED.or(rules.field_set()))?,
        };
        if !self.seen.is_new(row.source_offset) {
            return None;
        }
        self.held.clear();
        let mut replaced = Kinds::default();
        if !rules.is_empty() {
            replaced = rules.judge(&row.coin, &row.numbers(), &mut self.held);
        }
        let built_in = match replaced == Kinds::default() {
            true => self.judge(&row.windows),
            false => self.judge(&without(replaced, row.windows)),
        };
        let built_in = built_in.filter(|alert| alert.severity >= self.params.min_severity);
        if self.held.is_empty() && built_in.is_none() {
            return None;
        }
        let held = || {
            let places = self.held.iter();
            places.map(|place| &rules.list()[usize::from(*place)])
        };
        let severity = held().map(|rule| rule.severity);
        let severity = severity.chain(built_in.map(|alert| alert.severity)).max()?;
        let (kinds, score) =
            built_in.map_or_else(Default::default, |alert| (alert.kinds, alert.score));
        let (coin, symbol) = (&*row.coin, row.symbol.as_deref()?);
        let (event_time, price) = (row.event_time, row.price);
        let windows = &row.windows;
        let mut names: Vec<&str> = kinds.names().collect();
        names.extend(held().map(Rule::kind));
        let price_said = Price {
            amount: price,
            currency: &self.params.currency,
        };
        let rules_said = held().map(|rule| rule.message(&row.numbers()));
        let message = message(symbol, price_said, kinds, windows, rules_said);

        output.start(Some(coin.as_bytes()));
        let mut object = ObjectWriter::record(&mut output.value, input.offset, "alert");
        object.optional_integer(label!("raw_offset"), row.raw_offset);
        object.text(label!("alert_id"), &format!("{coin}:{event_time}"));
        object.text(label!("coin"), coin);
        object.text(label!("symbol"), symbol);
        object.integer(label!("event_time"), event_time);
        object.number(label!("price"), price);
        object.words(label!("kinds"), names);
        object.word(label!("severity"), severity.as_str());
        object.number(label!("score"), score);
        object.optional_number(label!("zscore_15m"), windows.zscore_15m);
        object.optional_number(label!("move_15m"), windows.move_15m);
        object.optional_number(label!("return_15m"), windows.return_15m);
        object.optional_number(label!("return_zscore_15m"), windows.return_zscore_15m);
        object.optional_number(label!("volume_surge"), windows.volume_surge);
        object.optional_number(label!("volume_ratio"), windows.volume_ratio);
        object.text(label!("message"), &message);
        if row.backfilled {
            object.yes(label!("backfilled"));
        }
        object.end();
        Some(())
    }
}

/// A row in which these kinds are nothing, whatever the bounds: what they are judged by is null.
fn without(kinds: Kinds, mut windows: WindowFeatures) -> WindowFeatures {
    if kinds.price_spike {
        windows.zscore_15m = None;
    }
    if kinds.price_move {
        windows.return_zscore_15m = None;
    }
    if kinds.volume_spike {
        windows.volume_surge = None;
        windows.volume_ratio = None;
    }
    windows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::Params;

    /// The features that a verdict depends on.
    fn windows(
        (zscore_15m, move_15m): (f64, f64),
        (return_zscore_15m, return_15m): (f64, f64),
        (volume_surge, volume_ratio): (f64, f64),
    ) -> WindowFeatures {
        WindowFeatures {
            zscore_15m: Some(zscore_15m),
            move_15m: Some(move_15m),
            return_zscore_15m: Some(return_zscore_15m),
            return_15m: Some(return_15m),
            volume_surge: Some(volume_surge),
            volume_ratio: Some(volume_ratio),
            ..WindowFeatures::undefined()
        }
    }

    const NO: (f64, f64) = (0.0, 0.0);

    #[track_caller]
    fn kinds(windows: &WindowFeatures) -> Vec<&'static str> {
        let alert = AnomalyRule::new(AnomalyParams::default()).judge(windows);
        alert.map_or(Vec::new(), |alert| alert.kinds.names().collect())
    }

    #[test]
    fn an_anomaly_is_above_all_its_bounds() {
        assert!(kinds(&WindowFeatures::undefined()).is_empty());
        let at_the_bounds = windows((3.0, 0.007), (3.0, 0.014), (3.0, 3.0));
        assert!(kinds(&at_the_bounds).is_empty());
        assert_eq!(
            kinds(&windows((-3.1, -0.0071), NO, NO)),
            ["price_spike"],
            "either way"
        );
        assert_eq!(kinds(&windows(NO, (-3.1, -0.0141), NO)), ["price_move"]);
        assert_eq!(kinds(&windows(NO, NO, (3.1, 1.0))), ["volume_spike"]);
        assert_eq!(kinds(&windows(NO, NO, (1.0, 3.1))), ["volume_spike"]);
        let all = windows((4.0, 0.01), (4.0, 0.02), (-9.0, 4.0));
        assert_eq!(kinds(&all), ["price_spike", "price_move", "volume_spike"]);
    }

    #[test]
    fn a_stablecoins_last_digit_is_no_anomaly() {
        assert!(kinds(&windows((100.0, 0.003), (100.0, 0.003), NO)).is_empty());
        let unmoved = WindowFeatures {
            zscore_15m: Some(9.0),
            ..WindowFeatures::undefined()
        };
        assert!(kinds(&unmoved).is_empty());
    }

    #[test]
    fn scores_and_severities_are_those_of_the_definition() {
        use Severity::{Critical, Info, Warning};
        for (spike, moved, volume, score, severity) in [
            ((3.4, 1.0), NO, NO, 0.1, Info),
            ((-4.6, 1.0), NO, NO, 0.4, Warning),
            ((9.0, -0.014), NO, NO, 0.4, Warning),
            ((9.0, -0.02275), NO, NO, 0.9, Critical),
            (NO, (-4.6, -1.0), NO, 0.4, Warning),
            (NO, (9.0, 0.0224), NO, 0.4, Warning),
            (NO, (-9.0, -0.0329), NO, 0.9, Critical),
            ((5.0, 1.0), (3.4, 1.0), (7.5, 0.0), 0.75, Warning),
            ((100.0, 1.0), (100.0, 1.0), NO, 1.0, Critical),
            (NO, NO, (6.6, 0.0), 0.4, Warning),
            (NO, NO, (11.1, 0.0), 0.9, Critical),
            (NO, NO, (1e9, 0.0), 1.0, Critical),
            // The ratio makes a spike, but does not count for the score.
            (NO, NO, (0.0, 50.0), 0.0, Info),
        ] {
            let windows = windows(spike, moved, volume);
            let rule = AnomalyRule::new(AnomalyParams::default());
            let alert = rule.judge(&windows).unwrap();
            assert!((alert.score - score).abs() < 1e-12, "{alert:?}");
            let at_the_edge = [0.4, 0.9].iter().any(|at| (alert.score - at).abs() < 1e-12);
            assert!(alert.severity == severity || at_the_edge, "{alert:?}");
        }
        for (score, severity) in [
            (0.39, Info),
            (0.4, Warning),
            (0.89, Warning),
            (0.9, Critical),
        ] {
            assert_eq!(Severity::of_score(score), severity);
        }
    }

    #[test]
    fn bounds_are_parameters() {
        let params = Params::new([
            ("price_zscore", "6"),
            ("min_move", "0.1"),
            ("min_return", "0.2"),
            ("volume_surge", "10"),
            ("min_severity", "info"),
        ]);
        let params = AnomalyParams::parse(params).unwrap();
        assert_eq!(params.min_severity, Severity::Info);
        let rule = AnomalyRule::new(params);
        let at_the_bounds = windows((6.0, 0.1), (6.0, 0.2), (10.0, 10.0));
        assert_eq!(rule.judge(&at_the_bounds), None);
        // Scores grow in proportion to the bounds.
        for windows in [
            windows((10.0, 1.0), NO, NO),
            windows((99.0, 0.225), NO, NO),
            windows(NO, (10.0, 1.0), NO),
            windows(NO, (99.0, 0.35), NO),
            windows(NO, NO, (25.0, 0.0)),
        ] {
            let alert = rule.judge(&windows).unwrap();
            assert!((alert.score - 0.5).abs() < 1e-12, "{alert:?}");
        }
    }

    #[test]
    fn a_bad_bound_is_refused_by_name() {
        for name in ["price_zscore", "min_move", "min_return", "volume_surge"] {
            for value in ["0", "-1", "NaN", "inf", "0.3 %", ""] {
                let error = AnomalyParams::parse(Params::new([(name, value)])).unwrap_err();
                assert!(error.to_string().contains(&format!("`{name}`")), "{error}");
            }
        }
    }

    #[test]
    fn only_alerts_of_min_severity_are_written() {
        let mut output = Output::new();
        let mut alerts = |min_severity: &str, z: f64| {
            let params = Params::new([("min_severity", min_severity), ("currency", "eur")]);
            let mut rule = AnomalyRule::new(AnomalyParams::parse(params).unwrap());
            let value = format!(
                r#"{{"move_15m":-0.5,"zscore_15m":{z},"price":2.2e-7,"event_time":5,"symbol":"b","coin":"bitcoin","status":"features"}}"#
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
        assert!(alerts("info", 5.0) && alerts("warning", 5.0) && !alerts("critical", 5.0));
        assert!(alerts("critical", -7.0));
        assert!(!alerts("info", 1.0));
        alerts("info", -7.0);
        let value: serde_json::Value = serde_json::from_slice(output.value()).unwrap();
        assert_eq!(value["alert_id"], "bitcoin:5");
        assert_eq!(value["move_15m"], -0.5);
        assert!(value["return_15m"].is_null() && value["return_zscore_15m"].is_null());
        assert_eq!(
            value["message"],
            "B fell to 0.00000022 EUR, 50.0 % and 7.0σ below its 15-minute average"
        );
    }
}
