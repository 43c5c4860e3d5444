//! Inputs as bin numbers: a split is between two bins, so a node counts its rows and need not sort them.
//!
//! Always true: a value is in a bin above `b` exactly if it is above edge `b`, here and in `market::model`.

use market::model::{EDGES_MAX, INPUTS, Inputs};
use rayon::prelude::*;

/// The edges between the bins of each input.
pub(super) type Edges = [Vec<f64>; INPUTS.len()];

/// A row's bins.
pub(super) type Binned = [u8; INPUTS.len()];

/// Edges such that all bins have about the same number of rows. A very common value has a bin of its own; if there are few
/// values, each has one.
pub(super) fn edges(rows: &[Inputs]) -> Edges {
    let edges: Vec<Vec<f64>> = (0..INPUTS.len())
        .into_par_iter()
        .map(|input| {
            let mut values: Vec<f64> = rows.iter().map(|row| row[input]).collect();
            values.sort_unstable_by(f64::total_cmp);
            edges_of(&values)
        })
        .collect();
    edges.try_into().expect("one for each input")
}

fn edges_of(sorted: &[f64]) -> Vec<f64> {
    let values: Vec<&[f64]> = sorted.chunk_by(|a, b| a == b).collect();
    let each_its_own = values.len() <= EDGES_MAX + 1;
    let mut edges = Vec::new();
    let (mut bins_left, mut rows_left, mut rows) = (EDGES_MAX + 1, sorted.len(), 0);
    for pair in values.windows(2) {
        rows += pair[0].len();
        if each_its_own || (bins_left > 1 && rows * bins_left >= rows_left) {
            edges.push(between(pair[0][0], pair[1][0]));
            bins_left -= 1;
            rows_left -= rows;
            rows = 0;
        }
    }
    edges
}

/// The middle between `below` and `above`, but never `above` itself.
fn between(below: f64, above: f64) -> f64 {
    let middle = (below / 2.0 + above / 2.0).max(below);
    if middle < above { middle } else { below }
}

/// The bins of rows.
pub(super) fn bins(rows: &[Inputs], edges: &Edges) -> Vec<Binned> {
    rows.par_iter()
        .map(|row| {
            std::array::from_fn(|input| {
                let bin = edges[input].partition_point(|edge| *edge < row[input]);
                u8::try_from(bin).expect("there are at most 255 edges")
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn few_values_and_common_ones_have_bins_of_their_own() {
        assert!(edges_of(&[]).is_empty());
        assert!(edges_of(&[1.0, 1.0]).is_empty());
        assert_eq!(edges_of(&[-0.0, 0.0, 1.0, 1.0, 4.0]), [0.5, 2.5]);
        let mut values: Vec<f64> = (0..10_000).map(f64::from).collect();
        values.extend([5000.0; 10_000]);
        values.sort_unstable_by(f64::total_cmp);
        let edges = edges_of(&values);
        assert_eq!(edges.len(), EDGES_MAX);
        assert!(edges.contains(&5000.5), "{edges:?}");
    }

    #[test]
    fn an_edge_is_never_the_value_above_it() {
        for (below, above) in [
            (1.0, 1.0_f64.next_up()),
            (-f64::MAX, f64::MAX),
            (0.0, f64::from_bits(1)),
            (f64::from_bits(1), f64::from_bits(2)),
            (f64::from_bits(3), f64::from_bits(4)),
        ] {
            let edge = between(below, above);
            assert!(
                below <= edge && edge < above,
                "{below:e} {edge:e} {above:e}"
            );
        }
    }

    proptest! {
        #![proptest_config(crate::property::cases(50))]

        #[test]
        fn bins_and_edges_agree(
            values in prop::collection::vec(
                prop_oneof![-5.0..5.0_f64, (-3..3_i8).prop_map(f64::from), any::<f64>().prop_filter("finite", |x| x.is_finite())],
                1..2000,
            )
        ) {
            let rows: Vec<Inputs> = values.iter().map(|value| [*value; INPUTS.len()]).collect();
            let edges = edges(&rows);
            prop_assert!(edges[0].is_sorted_by(|a, b| a < b));
            for (value, binned) in values.iter().zip(bins(&rows, &edges)) {
                for (number, edge) in edges[0].iter().enumerate() {
                    prop_assert_eq!(usize::from(binned[0]) <= number, *value <= *edge);
                }
            }
        }
    }
}
