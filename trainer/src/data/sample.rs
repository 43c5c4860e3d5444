//! Samples: of many rows a part that says as much, so that time and memory of a training have a bound.
//!
//! Neighbouring minutes say almost the same, so one row is drawn from each stretch of them. Rows of a rare label are kept.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::part::Part;
use super::weights::Weights;

impl<I: Copy> Part<I> {
    /// At most about `rows_max` rows. If there are more, all rows of a rare label are kept and one of several others; if both
    /// labels are common, one of several rows of either. The same rows and seed give the same sample.
    pub fn sample(self, rows_max: usize, seed: u64) -> Self {
        if self.len() <= rows_max {
            return self;
        }
        let positives = self.labels.iter().filter(|label| **label).count();
        let negatives = self.len() - positives;
        let rare = positives.min(negatives);
        let one_of = |rows: usize, wanted: usize| rows.div_ceil(wanted.max(1)) as u32;
        let weights = match rare <= rows_max / 2 {
            true => {
                let common = one_of(self.len() - rare, rows_max - rare);
                match positives == rare {
                    true => Weights::new(1, common),
                    false => Weights::new(common, 1),
                }
            }
            false => {
                let either = one_of(self.len(), rows_max);
                Weights::new(either, either)
            }
        };
        self.drawn(weights, seed)
    }

    /// Of a sample a part in which all labels are as frequent as in the market.
    pub(crate) fn level(&self, seed: u64) -> Self {
        let (positive, negative) = (self.weights.of(true), self.weights.of(false));
        if positive == negative {
            return self.clone();
        }
        let heaviest = positive.max(negative);
        let drawn = |weight: u64| (heaviest / weight) as u32;
        self.drawn(Weights::new(drawn(positive), drawn(negative)), seed)
    }

    /// One row of each stretch of rows of a label, in the order of time of each coin.
    fn drawn(&self, weights: Weights, seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        // By label: the place in the stretch, and that of the row drawn from it.
        let mut stretches = [(0, 0); 2];
        let wanted: Vec<bool> = self
            .labels
            .iter()
            .map(|label| {
                let length = weights.of(*label);
                let (place, drawn) = &mut stretches[usize::from(*label)];
                if *place == 0 {
                    *drawn = rng.random_range(0..length);
                }
                let wanted = place == drawn;
                *place = (*place + 1) % length;
                wanted
            })
            .collect();
        let combined = |label| (self.weights.of(label) * weights.of(label)) as u32;
        let weights = Weights::new(combined(true), combined(false));
        self.of_places(|row| wanted[row], weights)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::evaluation::Ranking;

    /// Rows whose place stands for their inputs.
    fn part(labels: Vec<bool>) -> Part<usize> {
        Part {
            times: (0..).take(labels.len()).collect(),
            inputs: (0..labels.len()).collect(),
            labels,
            weights: Weights::default(),
        }
    }

    fn count(part: &Part<usize>, label: bool) -> usize {
        part.labels.iter().filter(|other| **other == label).count()
    }

    proptest! {
        #![proptest_config(crate::property::cases(300))]

        #[test]
        fn a_sample_is_bounded_and_stands_for_all(
            labels in (0.0..=1.0_f64).prop_flat_map(|share| prop::collection::vec(prop::bool::weighted(share), 0..600)),
            rows_max in 1..700_usize,
            seed in any::<u64>(),
        ) {
            let whole = part(labels);
            let sample = whole.clone().sample(rows_max, seed);
            prop_assert_eq!(&sample, &whole.clone().sample(rows_max, seed), "drawn once more");
            if whole.len() <= rows_max {
                prop_assert_eq!(&sample, &whole);
            }
            prop_assert!(sample.len() <= rows_max + 2, "{} {rows_max}", sample.len());
            for label in [true, false] {
                let (drawn, all) = (count(&sample, label), count(&whole, label));
                let stands_for = sample.weights.of(label) * drawn as u64;
                prop_assert!(stands_for.abs_diff(all as u64) < sample.weights.of(label));
                if all <= rows_max / 2 && all <= whole.len() / 2 {
                    prop_assert_eq!(drawn, all, "a rare label is kept");
                }
            }
            for (place, row) in sample.inputs.iter().enumerate() {
                prop_assert_eq!(sample.labels[place], whole.labels[*row]);
                prop_assert_eq!(sample.times[place], whole.times[*row]);
            }
            prop_assert!(sample.inputs.is_sorted());

            let level = sample.level(seed);
            prop_assert_eq!(level.weights.of(true), level.weights.of(false));
            prop_assert_eq!(&level.level(seed), &level);
        }
    }

    /// What is measured on a sample is what is measured on all.
    #[test]
    fn measurements_on_a_sample_are_those_of_the_market() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let rows = 200_000;
        // One in a hundred is true; scores say something of it.
        let labels: Vec<bool> = (0..rows).map(|_| rng.random_bool(0.01)).collect();
        let scores: Vec<f64> = labels
            .iter()
            .map(|label| rng.random_range(0.0..1.0_f64) + if *label { 0.6 } else { 0.0 })
            .collect();
        let whole = part(labels);
        let sample = whole.clone().sample(rows / 8, 1);
        assert!(sample.len() < rows / 7 && sample.weights == Weights::new(1, 9));
        let drawn: Vec<f64> = sample.inputs.iter().map(|row| scores[*row]).collect();
        let (all, part) = (whole.ranking(&scores), sample.ranking(&drawn));
        let near = |a: f64, b: f64, allowed: f64| assert!((a - b).abs() < allowed, "{a} {b}");
        near(whole.base_rate(), sample.base_rate(), 1e-5);
        near(all.auc_roc(), part.auc_roc(), 0.003);
        near(all.auc_pr(), part.auc_pr(), 0.003);
        near(all.lift(0.01), part.lift(0.01), 2.0);
        // Without the weights the rare label would seem common.
        assert!(Ranking::of(&drawn, &sample.labels).auc_pr() > all.auc_pr() + 0.05);
    }
}
