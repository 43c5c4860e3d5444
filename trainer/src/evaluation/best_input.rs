//! The baseline without a model: the one input that alone ranks best.

use market::model::{INPUTS, Inputs};

use crate::data::Part;

/// The input that alone ranks the rows it is chosen on best, by AUC-PR, and how.
///
/// ```
/// use market::model::INPUTS;
/// use trainer::data::Part;
/// use trainer::evaluation::BestInput;
///
/// // Only the fourth input says something: the label is true where it is low.
/// let inputs: Vec<_> = (0..90)
///     .map(|row| {
///         let mut inputs = [f64::NAN; INPUTS.len()];
///         inputs[3] = f64::from(row % 10);
///         inputs
///     })
///     .collect();
/// let part = Part {
///     times: (0..90).collect(),
///     labels: inputs.iter().map(|row| row[3] < 2.0).collect(),
///     inputs,
///     ..Part::default()
/// };
/// assert_eq!(BestInput::of(&part).to_string(), "-volatility_5m");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BestInput {
    input: usize,
    order: Order,
}

/// What makes a row likely.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    High,
    Low,
    Large,
}

impl BestInput {
    /// The best input of these rows, which must not be those that are tested on.
    pub fn of(part: &Part) -> Self {
        let inputs = (0..INPUTS.len()).flat_map(|input| {
            [Order::High, Order::Low, Order::Large].map(|order| Self { input, order })
        });
        let ranked = inputs.map(|input| {
            let auc_pr = part.ranking(&input.scores(&part.inputs)).auc_pr();
            (auc_pr, input)
        });
        // Of equals the first.
        let best = ranked.reduce(|best, other| if other.0 > best.0 { other } else { best });
        best.expect("there are inputs").1
    }

    /// The scores of rows. A row without the input is the least likely.
    pub fn scores(&self, rows: &[Inputs]) -> Vec<f64> {
        let score = |row: &Inputs| match (row[self.input], self.order) {
            (value, _) if value.is_nan() => f64::MIN,
            (value, Order::High) => value,
            (value, Order::Low) => -value,
            (value, Order::Large) => value.abs(),
        };
        rows.iter().map(score).collect()
    }
}

impl std::fmt::Display for BestInput {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = INPUTS[self.input];
        match self.order {
            Order::High => f.write_str(name),
            Order::Low => write!(f, "-{name}"),
            Order::Large => write!(f, "|{name}|"),
        }
    }
}
