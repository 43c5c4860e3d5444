//! What the bootstrap draws from: a row of a sample has a lot for each row of the market that it stands for, so it is drawn as
//! often as all those together.

use crate::data::Weights;

/// The most lots of a row. More would cost time and change little: so many draws vary by a quarter as it is.
const LOTS_MAX: u64 = 16;

/// The row of each lot.
pub(super) fn lots(labels: &[bool], weights: Weights) -> Vec<u32> {
    let rows = (0..).zip(labels);
    rows.flat_map(|(row, label)| {
        let lots = weights.of(*label).min(LOTS_MAX);
        std::iter::repeat_n(row, lots as usize)
    })
    .collect()
}

/// How many rows of the market a lot stands for.
pub(super) fn stands_for(weights: Weights, label: bool) -> f64 {
    let weight = weights.of(label);
    weight as f64 / weight.min(LOTS_MAX) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lots_stand_for_the_market() {
        let labels = [false, true, false];
        assert_eq!(lots(&labels, Weights::default()), [0, 1, 2]);
        assert_eq!(lots(&labels, Weights::new(1, 3)), [0, 0, 0, 1, 2, 2, 2]);
        let many = Weights::new(2, 40);
        assert_eq!(lots(&labels, many).len(), 16 + 2 + 16);
        assert_eq!(
            [true, false].map(|label| stands_for(many, label)),
            [1.0, 2.5]
        );
    }
}
