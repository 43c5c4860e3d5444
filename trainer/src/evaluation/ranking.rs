//! Everything that depends on the order of scores alone: the ROC and precision-recall curves, their areas, and the best
//! threshold.

use crate::data::Weights;

/// The counts if every row with a score of at least `threshold` is a positive prediction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// The least score of a positive prediction.
    pub threshold: f64,
    /// Predicted rows that are true.
    pub true_positives: u64,
    /// Predicted rows that are not true.
    pub false_positives: u64,
}

/// Rows ranked by score: the counts at every threshold, from the highest score to the lowest.
///
/// Always true: rows of the same score are predicted together, and at the last point all rows are.
///
/// ```
/// use trainer::evaluation::Ranking;
///
/// let scores = [0.9, 0.8, 0.3, 0.1];
/// let labels = [true, false, true, false];
/// let ranking = Ranking::of(&scores, &labels);
/// assert_eq!(ranking.auc_roc(), 0.75); // three of four pairs are in the right order
/// assert_eq!(ranking.best_threshold(), 0.3);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Ranking {
    points: Vec<Point>,
    positives: u64,
    negatives: u64,
}

impl Ranking {
    /// Ranks rows by score. Areas are meaningful only if both labels occur.
    pub fn of(scores: &[f64], labels: &[bool]) -> Self {
        Self::weighted(scores, labels, Weights::default())
    }

    /// Ranks rows each of which stands for several, all of the same score.
    pub fn weighted(scores: &[f64], labels: &[bool], weights: Weights) -> Self {
        let mut order: Vec<(f64, bool)> =
            scores.iter().copied().zip(labels.iter().copied()).collect();
        order.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
        let (mut positives, mut negatives) = (0, 0);
        let mut points = Vec::new();
        for same in order.chunk_by(|a, b| a.0 == b.0) {
            let positive = same.iter().filter(|(_, label)| *label).count() as u64;
            positives += weights.of(true) * positive;
            negatives += weights.of(false) * (same.len() as u64 - positive);
            points.push(Point {
                threshold: same[0].0,
                true_positives: positives,
                false_positives: negatives,
            });
        }
        Self {
            points,
            positives,
            negatives,
        }
    }

    /// The area under the ROC curve: the probability that a true row has a higher score than another, ties counting half.
    /// 0.5 if only one label occurs.
    pub fn auc_roc(&self) -> f64 {
        if self.positives == 0 || self.negatives == 0 {
            return 0.5;
        }
        let (mut pairs, mut before) = (0.0, (0, 0));
        for point in &self.points {
            let right = (point.false_positives - before.1) as f64;
            pairs += right * (before.0 + point.true_positives) as f64 / 2.0;
            before = (point.true_positives, point.false_positives);
        }
        pairs / (self.positives as f64 * self.negatives as f64)
    }

    /// The area under the precision-recall curve: the mean precision over all steps of recall.
    pub fn auc_pr(&self) -> f64 {
        if self.positives == 0 {
            return 0.0;
        }
        let (mut sum, mut before) = (0.0, 0);
        for point in &self.points {
            let predicted = (point.true_positives + point.false_positives) as f64;
            let precision = point.true_positives as f64 / predicted;
            sum += (point.true_positives - before) as f64 * precision;
            before = point.true_positives;
        }
        sum / self.positives as f64
    }

    /// How much more often a row is true among the top share of all rows than among all: the precision there over the base rate.
    /// Of rows with the same score at the border, a part counts. 1 if no row is true.
    pub fn lift(&self, share: f64) -> f64 {
        let all = (self.positives + self.negatives) as f64;
        let wanted = share * all;
        if self.positives == 0 || wanted <= 0.0 {
            return 1.0;
        }
        let predicted = |point: &Point| (point.true_positives + point.false_positives) as f64;
        let border = self
            .points
            .partition_point(|point| predicted(point) < wanted);
        let (found, rows) = match border.checked_sub(1).map(|place| &self.points[place]) {
            Some(point) => (point.true_positives as f64, predicted(point)),
            None => (0.0, 0.0),
        };
        let more = self.points.get(border).map_or(0.0, |point| {
            let tied = predicted(point) - rows;
            (wanted - rows) / tied * (point.true_positives as f64 - found)
        });
        (found + more) / wanted * all / self.positives as f64
    }

    /// The threshold that maximises true-positive rate minus false-positive rate (Youden's J). Unlike the best F1 it suits
    /// rare events and balanced labels alike.
    pub fn best_threshold(&self) -> f64 {
        let excess = |point: &Point| {
            let (found, mistaken) = self.rates(point);
            found - mistaken
        };
        let best = self
            .points
            .iter()
            .max_by(|a, b| excess(a).total_cmp(&excess(b)));
        best.map_or(0.5, |point| point.threshold)
    }

    /// The ROC curve: false-positive and true-positive rates, from (0, 0) to (1, 1).
    pub fn roc(&self) -> Vec<(f64, f64)> {
        let rates = self.points.iter().map(|point| {
            let (found, mistaken) = self.rates(point);
            (mistaken, found)
        });
        std::iter::once((0.0, 0.0)).chain(rates).collect()
    }

    /// The precision-recall curve: recall and precision, by ascending recall.
    pub fn precision_recall(&self) -> Vec<(f64, f64)> {
        let found = self.points.iter().filter(|point| point.true_positives > 0);
        found
            .map(|point| {
                let predicted = (point.true_positives + point.false_positives) as f64;
                let (recall, _) = self.rates(point);
                (recall, point.true_positives as f64 / predicted)
            })
            .collect()
    }

    /// Shares of the true rows and of the others that a point predicts.
    fn rates(&self, point: &Point) -> (f64, f64) {
        let share = |part: u64, whole: u64| part as f64 / whole.max(1) as f64;
        (
            share(point.true_positives, self.positives),
            share(point.false_positives, self.negatives),
        )
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn curves_of_a_known_case() {
        // scikit-learn's own example: roc_auc_score 0.75, average_precision_score 0.8333.
        let ranking = Ranking::of(&[0.1, 0.4, 0.35, 0.8], &[false, false, true, true]);
        assert_eq!(ranking.auc_roc(), 0.75);
        assert!((ranking.auc_pr() - 5.0 / 6.0).abs() < 1e-12);
        assert_eq!(
            ranking.roc(),
            [(0.0, 0.0), (0.0, 0.5), (0.5, 0.5), (0.5, 1.0), (1.0, 1.0)]
        );
        assert_eq!(ranking.precision_recall()[0], (0.5, 1.0));
        assert_eq!(ranking.best_threshold(), 0.35);
    }

    #[test]
    fn one_class_has_no_areas() {
        let ranking = Ranking::of(&[0.1, 0.2], &[false, false]);
        assert_eq!((ranking.auc_roc(), ranking.auc_pr()), (0.5, 0.0));
        assert_eq!(Ranking::of(&[], &[]).best_threshold(), 0.5);
        assert_eq!(Ranking::of(&[], &[]).lift(0.01), 1.0);
    }

    #[test]
    fn lift_compares_the_top_with_all() {
        // 10 of 100 rows are true, 6 of them among the top 10.
        let scores: Vec<f64> = (0..100).map(f64::from).collect();
        let labels: Vec<bool> = (0..100).map(|row| !(4..94).contains(&row)).collect();
        let ranking = Ranking::of(&scores, &labels);
        assert_eq!(ranking.lift(0.1), 6.0);
        assert_eq!(ranking.lift(0.01), 10.0);
        assert_eq!(ranking.lift(1.0), 1.0);
        // Without an order, any share of the rows is like all of them.
        let level = Ranking::of(&[0.5; 100], &labels);
        assert_eq!(level.lift(0.1), 1.0);
    }

    proptest! {
        #![proptest_config(crate::property::cases(300))]

        #[test]
        fn auc_is_what_counting_pairs_gives(
            rows in prop::collection::vec((0..12_u8, any::<bool>()), 2..80)
        ) {
            let scores: Vec<f64> = rows.iter().map(|(score, _)| f64::from(*score) / 7.0).collect();
            let labels: Vec<bool> = rows.iter().map(|(_, label)| *label).collect();
            let (mut pairs, mut right) = (0.0, 0.0);
            for (yes, _) in scores.iter().zip(&labels).filter(|(_, label)| **label) {
                for (no, _) in scores.iter().zip(&labels).filter(|(_, label)| !**label) {
                    pairs += 1.0;
                    right += if yes > no { 1.0 } else if yes == no { 0.5 } else { 0.0 };
                }
            }
            prop_assume!(pairs > 0.0);
            let auc = Ranking::of(&scores, &labels).auc_roc();
            prop_assert!((auc - right / pairs).abs() < 1e-12, "{} {}", auc, right / pairs);
        }

        /// A row that stands for several counts as so many rows.
        #[test]
        fn weights_are_repetitions(
            rows in prop::collection::vec((0..12_u8, any::<bool>()), 0..80),
            positive in 1..5_u32,
            negative in 1..9_u32,
        ) {
            let weights = Weights::new(positive, negative);
            let scores: Vec<f64> = rows.iter().map(|(score, _)| f64::from(*score) / 7.0).collect();
            let labels: Vec<bool> = rows.iter().map(|(_, label)| *label).collect();
            let repeated = scores.iter().zip(&labels);
            let repeated = repeated.flat_map(|row| (0..weights.of(*row.1)).map(move |_| row));
            let (scores_of_all, labels_of_all): (Vec<f64>, Vec<bool>) = repeated.unzip();
            prop_assert_eq!(
                Ranking::weighted(&scores, &labels, weights),
                Ranking::of(&scores_of_all, &labels_of_all)
            );
        }
    }
}
