//! Decides promotion by comparing the new version with production on the newest day.
//!
//! Always true: both predict the same rows, neither was fitted on any of them, and the predictions come from the code that
//! serves.

use std::fmt;

use crate::data::{AHEAD_MS, Part};
use crate::evaluation::BestInput;
use crate::model::Model;

/// By how much a new version's AUC-ROC must exceed that of production, by default.
pub const MARGIN: f64 = 0.005;

/// The least number of rows to compare on.
const ROWS_MIN: usize = 200;

/// The version in production.
#[derive(Debug)]
pub enum Current {
    /// There is none.
    Nothing,
    /// A version with a usable model.
    Model {
        /// Its number.
        version: u32,
        /// Its model.
        model: Box<Model>,
    },
    /// A version that no broker serves: trained on features that are no longer computed, or too large.
    Outdated {
        /// Its number.
        version: u32,
    },
    /// A version whose model cannot be loaded.
    Unknown {
        /// The error.
        reason: String,
    },
}

/// The decision.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// Whether the new version goes to production.
    pub promote: bool,
    /// The reason, for people.
    pub reason: String,
}

/// Compares a new version with the one in production. `day` has the newest rows; the new version was fitted on none of
/// them. Where nothing serves, any that is better than the base rate is a gain; the `best_input` alone is named beside it.
pub fn judge(
    day: &Part,
    best_input: BestInput,
    new: &Model,
    current: &Current,
    margin: f64,
) -> Verdict {
    let day = match current {
        // The production version may have been fitted on newer rows than the new one. Its labels look ahead.
        Current::Model { model, .. } => {
            let seen_to_ms = model.info().trained_to_ms.saturating_add(AHEAD_MS);
            day.of_times(|time| time > seen_to_ms)
        }
        _ => day.clone(),
    };
    let Some(day) = Day::of(day) else {
        return Verdict {
            promote: false,
            reason: format!(
                "fewer than {ROWS_MIN} rows of the newest day are new to both versions, or all of them have the same label: \
                 the versions cannot be compared"
            ),
        };
    };
    let auc_roc = day.auc_roc(&new.probabilities(&day.part.inputs));
    let (promote, reason) = match current {
        Current::Nothing | Current::Outdated { .. } => {
            let before = match current {
                Current::Outdated { version } => {
                    format!("version {version} no longer serves")
                }
                _ => "nothing was in production".to_owned(),
            };
            let alone = day.auc_roc(&best_input.scores(&day.part.inputs));
            // Always predicting the base rate ranks nothing: 0.5.
            (
                auc_roc >= 0.5 + margin,
                format!(
                    "{before}; the base rate has 0.5, {margin} more is required; {best_input} alone has {alone:.4}"
                ),
            )
        }
        Current::Model { version, model } => {
            let current = day.auc_roc(&model.probabilities(&day.part.inputs));
            (
                auc_roc >= current + margin,
                format!("version {version} has {current:.4}, {margin} more is required"),
            )
        }
        Current::Unknown { reason } => (
            false,
            format!("production cannot be compared with: {reason}"),
        ),
    };
    Verdict {
        promote,
        reason: format!("AUC-ROC {auc_roc:.4} on {day}; {reason}"),
    }
}

/// Enough rows with both labels.
struct Day {
    part: Part,
    from_ms: i64,
    to_ms: i64,
}

impl Day {
    fn of(part: Part) -> Option<Self> {
        let (from_ms, to_ms) = part.range()?;
        let yes = part.labels.iter().filter(|label| **label).count();
        let both = yes > 0 && yes < part.len();
        (both && part.len() >= ROWS_MIN).then_some(Self {
            part,
            from_ms,
            to_ms,
        })
    }

    fn auc_roc(&self, scores: &[f64]) -> f64 {
        self.part.ranking(scores).auc_roc()
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = |ms| {
            let time = jiff::Timestamp::from_millisecond(ms);
            time.map_or_else(
                |_| ms.to_string(),
                |t| t.strftime("%Y-%m-%d %H:%M").to_string(),
            )
        };
        write!(
            f,
            "the newest {} rows ({} to {} UTC)",
            self.part.len(),
            time(self.from_ms),
            time(self.to_ms)
        )
    }
}

#[cfg(test)]
mod tests {
    use market::FEATURES_VERSION;
    use market::model::{INPUTS, Logistic, ModelInfo, TREND_UP};

    use super::*;

    const MINUTE_MS: i64 = 60_000;

    /// Rows whose label is what `return_1m` says, but for every `wrong`th; a day's worth.
    fn day(wrong: usize) -> Part {
        let rows = 1_440;
        let mut inputs = vec![[0.0; INPUTS.len()]; rows];
        for (row, inputs) in inputs.iter_mut().enumerate() {
            inputs[0] = (row % 7) as f64 - 3.0;
            inputs[7] = (row % 5) as f64;
        }
        let labels = (0..rows).map(|row| (row % 7 > 3) != (row % wrong == 0));
        Part {
            times: (0..).map(|row| row * MINUTE_MS).take(rows).collect(),
            labels: labels.collect(),
            inputs,
            ..Part::default()
        }
    }

    /// A model that follows one input, or its opposite.
    fn model(place: usize, weight: f64, trained_to_ms: i64) -> Model {
        let info = ModelInfo {
            name: TREND_UP.to_owned(),
            version: 0,
            run: String::new(),
            features_version: FEATURES_VERSION,
            fill: [0.0; INPUTS.len()],
            trained_from_ms: -1,
            trained_to_ms,
            rows: 1,
            threshold: 0.5,
        };
        let mut weights = [0.0; INPUTS.len()];
        weights[place] = weight;
        Model::Logistic(
            Logistic::new(info, [0.0; INPUTS.len()], [1.0; INPUTS.len()], weights, 0.0).unwrap(),
        )
    }

    /// An input that says nothing of the labels of [`day`].
    fn best_input() -> BestInput {
        let mut other = day(100);
        other.labels = other.inputs.iter().map(|row| row[7] > 2.0).collect();
        BestInput::of(&other)
    }

    /// The verdict on a version, by default.
    fn judged(day: &Part, new: &Model, current: &Current) -> Verdict {
        judge(day, best_input(), new, current, MARGIN)
    }

    fn in_production(model: Model) -> Current {
        Current::Model {
            version: 3,
            model: Box::new(model),
        }
    }

    #[test]
    fn the_first_version_must_beat_the_base_rate() {
        let good = judged(&day(100), &model(0, 1.0, -1), &Current::Nothing);
        assert!(good.promote, "{}", good.reason);
        assert!(
            good.reason
                .contains("the newest 1440 rows (1970-01-01 00:00 to"),
            "{}",
            good.reason
        );
        let bad = judged(&day(100), &model(0, -1.0, -1), &Current::Nothing);
        assert!(
            !bad.promote
                && bad
                    .reason
                    .contains("the base rate has 0.5, 0.005 more is required"),
            "{}",
            bad.reason
        );
        // One input that is as good is said, and no reason to serve nothing.
        let obvious = BestInput::of(&day(100));
        let as_good = judge(
            &day(100),
            obvious,
            &model(0, 1.0, -1),
            &Current::Nothing,
            MARGIN,
        );
        assert!(
            as_good.promote && as_good.reason.contains("return_1m alone has"),
            "{}",
            as_good.reason
        );
    }

    #[test]
    fn a_version_that_no_longer_serves_is_replaced_like_none() {
        let current = Current::Outdated { version: 3 };
        let good = judged(&day(100), &model(0, 1.0, -1), &current);
        assert!(
            good.promote && good.reason.contains("version 3 no longer serves"),
            "{}",
            good.reason
        );
        assert!(!judged(&day(100), &model(0, -1.0, -1), &current).promote);
    }

    #[test]
    fn a_later_version_must_beat_the_one_in_production_by_the_margin() {
        let (day, good, bad) = (day(10), model(0, 1.0, -1), model(0, -1.0, -1));
        let better = judged(&day, &good, &in_production(bad));
        assert!(better.promote, "{}", better.reason);
        let same = judged(&day, &good, &in_production(good.clone()));
        assert!(
            !same.promote && same.reason.contains("version 3 has"),
            "{}",
            same.reason
        );
        assert!(judge(&day, best_input(), &good, &in_production(good.clone()), 0.0).promote);
    }

    #[test]
    fn rows_that_production_was_fitted_on_do_not_count() {
        let noon = 720 * MINUTE_MS;
        let verdict = judged(
            &day(10),
            &model(0, 1.0, -1),
            &in_production(model(0, -1.0, noon)),
        );
        assert!(
            verdict.promote
                && verdict
                    .reason
                    .contains("the newest 704 rows (1970-01-01 12:16"),
            "{}",
            verdict.reason
        );
        let evening = 1_300 * MINUTE_MS;
        let verdict = judged(
            &day(10),
            &model(0, 1.0, -1),
            &in_production(model(0, -1.0, evening)),
        );
        assert!(
            !verdict.promote && verdict.reason.contains("cannot be compared"),
            "{}",
            verdict.reason
        );
    }

    #[test]
    fn an_unusable_production_version_is_not_replaced() {
        let current = Current::Unknown {
            reason: "the alias points at a deleted version".to_owned(),
        };
        let verdict = judged(&day(10), &model(0, 1.0, -1), &current);
        assert!(
            !verdict.promote && verdict.reason.contains("points at a deleted version"),
            "{}",
            verdict.reason
        );
    }

    #[test]
    fn rows_of_a_single_label_do_not_promote() {
        let mut day = day(10);
        day.labels.fill(true);
        let verdict = judged(&day, &model(0, 1.0, -1), &Current::Nothing);
        assert!(
            !verdict.promote && verdict.reason.contains("cannot be compared"),
            "{}",
            verdict.reason
        );
    }
}
