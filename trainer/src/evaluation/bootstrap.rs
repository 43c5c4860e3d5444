//! How far chance alone could have moved an AUC-PR: a block bootstrap.
//!
//! Neighbouring minutes share most of their future, and coins move together: rows are no independent draws. So whole blocks of
//! time, with the rows of all coins, are drawn with replacement.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::data::{Part, Weights};

/// The length of a block: rows of different blocks share neither a window (90 minutes back) nor a label (20 minutes ahead),
/// but for those at the edges.
const BLOCK_MS: i64 = 3 * 60 * 60 * 1000;

const RESAMPLES: usize = 1_000;

/// The share of resamples within the interval.
const CONFIDENCE: f64 = 0.95;

/// The range that holds 95 % of the resamples' values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl Interval {
    fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_unstable_by(f64::total_cmp);
        let at = |share: f64| {
            let place = (share * (values.len().checked_sub(1)?) as f64).round() as usize;
            values.get(place).copied()
        };
        Some(Self {
            low: at((1.0 - CONFIDENCE) / 2.0)?,
            high: at((1.0 + CONFIDENCE) / 2.0)?,
        })
    }
}

/// The intervals of an AUC-PR.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AucPrIntervals {
    /// Of the AUC-PR. Where few events make most true rows, the lower end is of resamples without them, and so without most true
    /// rows.
    pub auc_pr: Interval,
    /// Of the AUC-PR as a multiple of the base rate, each resample's of its own: 1 is a model that knows nothing.
    pub gain: Interval,
    /// Of its lead over the AUC-PR of other scores on the same resamples.
    pub lead: Interval,
}

/// The intervals of the AUC-PR of scores of a part's rows, beside other scores. `None` if no resample has a true row.
///
/// ```
/// use trainer::data::Part;
/// use trainer::evaluation::auc_pr_intervals;
///
/// // A day of minutes; one score knows the label, the other one nothing.
/// let day: Part = Part {
///     times: (0..1440).map(|minute| minute * 60_000).collect(),
///     labels: (0..1440).map(|minute| minute % 97 < 3).collect(),
///     ..Part::default()
/// };
/// let scores: Vec<f64> = day.labels.iter().map(|label| f64::from(u8::from(*label))).collect();
/// let intervals = auc_pr_intervals(&day, &scores, &vec![0.0; 1440]).unwrap();
/// assert_eq!((intervals.auc_pr.low, intervals.auc_pr.high), (1.0, 1.0));
/// assert!(intervals.lead.low > 0.95 && intervals.lead.high < 0.98);
/// assert!(intervals.gain.low > 20.0);
/// ```
pub fn auc_pr_intervals<I>(
    part: &Part<I>,
    scores: &[f64],
    others: &[f64],
) -> Option<AucPrIntervals> {
    let Part {
        times,
        labels,
        weights,
        ..
    } = part;
    let first = times.iter().copied().min()?;
    let blocks: Vec<u32> = times
        .iter()
        .map(|time| ((time - first) / BLOCK_MS) as u32)
        .collect();
    let count = blocks.iter().copied().max()? as usize + 1;
    let (scores, others) = (
        Ranked::of(scores, labels, *weights, &blocks),
        Ranked::of(others, labels, *weights, &blocks),
    );
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut resample = || {
        let mut drawn = vec![0_u32; count];
        for _ in 0..count {
            drawn[rng.random_range(0..count)] += 1;
        }
        drawn
    };
    let resamples: Vec<Vec<u32>> = (0..RESAMPLES).map(|_| resample()).collect();
    let areas: Vec<(Area, Area)> = resamples
        .par_iter()
        .filter_map(|drawn| scores.auc_pr(drawn).zip(others.auc_pr(drawn)))
        .collect();
    let interval =
        |value: &dyn Fn(&(Area, Area)) -> f64| Interval::of(areas.iter().map(value).collect());
    Some(AucPrIntervals {
        auc_pr: interval(&|(area, _)| area.auc_pr)?,
        gain: interval(&|(area, _)| area.auc_pr / area.base_rate)?,
        lead: interval(&|(area, other)| area.auc_pr - other.auc_pr)?,
    })
}

/// What one resample gives.
struct Area {
    auc_pr: f64,
    base_rate: f64,
}

/// Rows by descending score.
struct Ranked {
    rows: Vec<RankedRow>,
    weights: Weights,
}

struct RankedRow {
    block: u32,
    label: bool,
    /// Whether the next row has a lower score, or there is none.
    last_of_score: bool,
}

impl Ranked {
    fn of(scores: &[f64], labels: &[bool], weights: Weights, blocks: &[u32]) -> Self {
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
        let rows = order.iter().enumerate().map(|(place, row)| RankedRow {
            block: blocks[*row],
            label: labels[*row],
            last_of_score: order
                .get(place + 1)
                .is_none_or(|next| scores[*next] != scores[*row]),
        });
        Self {
            rows: rows.collect(),
            weights,
        }
    }

    /// The area when each block occurs this often; `None` without a true row.
    fn auc_pr(&self, drawn: &[u32]) -> Option<Area> {
        let (mut rows, mut found, mut before, mut sum) = (0_u64, 0_u64, 0_u64, 0.0);
        let weights = [false, true].map(|label| self.weights.of(label));
        for row in &self.rows {
            let times = u64::from(drawn[row.block as usize]) * weights[usize::from(row.label)];
            rows += times;
            found += if row.label { times } else { 0 };
            if row.last_of_score && found > before {
                sum += (found - before) as f64 * found as f64 / rows as f64;
                before = found;
            }
        }
        (found > 0).then(|| Area {
            auc_pr: sum / found as f64,
            base_rate: found as f64 / rows as f64,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::evaluation::Ranking;

    proptest! {
        #![proptest_config(crate::property::cases(200))]

        #[test]
        fn drawing_every_block_once_gives_the_area_itself(
            rows in prop::collection::vec((0..9_u8, any::<bool>(), 0..4_u32), 1..80),
            negative in 1..5_u32,
        ) {
            let weights = Weights::new(1, negative);
            let scores: Vec<f64> = rows.iter().map(|(score, ..)| f64::from(*score)).collect();
            let labels: Vec<bool> = rows.iter().map(|(_, label, _)| *label).collect();
            let blocks: Vec<u32> = rows.iter().map(|(.., block)| *block).collect();
            let area = Ranked::of(&scores, &labels, weights, &blocks).auc_pr(&[1; 4]);
            let expected = labels.contains(&true).then(|| Ranking::weighted(&scores, &labels, weights).auc_pr());
            match (area, expected) {
                (Some(area), Some(expected)) => {
                    prop_assert!((area.auc_pr - expected).abs() < 1e-12);
                    let part: Part = Part { times: vec![0; labels.len()], labels, weights, ..Part::default() };
                    prop_assert!((area.base_rate - part.base_rate()).abs() < 1e-12);
                }
                (area, expected) => prop_assert_eq!(area.is_some(), expected.is_some()),
            }
        }
    }

    /// Events of one block are one event: the interval is wide, however many rows they fill.
    #[test]
    fn few_blocks_with_events_say_little() {
        let width = |of: &dyn Fn(i64) -> bool| {
            let minutes = 0..4 * 1440_i64;
            let part: Part = Part {
                times: minutes.clone().map(|minute| minute * 60_000).collect(),
                labels: minutes.clone().map(of).collect(),
                ..Part::default()
            };
            // Right in half of the cases.
            let scores: Vec<f64> = minutes
                .zip(&part.labels)
                .map(|(minute, label)| f64::from(u8::from(*label == (minute % 2 == 0))))
                .collect();
            let intervals = auc_pr_intervals(&part, &scores, &scores).unwrap();
            intervals.auc_pr.high - intervals.auc_pr.low
        };
        let spread = width(&|minute| minute % 90 < 2);
        let together = width(&|minute| (700..828).contains(&minute));
        assert!(together > 5.0 * spread, "{together} {spread}");
    }
}
