//! Permutation importance: how much worse a model ranks when one input is shuffled among the rows.

use market::model::INPUTS;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::data::Part;
use crate::model::Model;

/// How often each input is shuffled.
const REPEATS: u64 = 3;

/// The most rows to shuffle among; of more a sample is enough.
const ROWS_MAX: usize = 250_000;

/// The importance of one input.
#[derive(Debug, Clone, PartialEq)]
pub struct Importance {
    /// The input's name.
    pub input: &'static str,
    /// By how much AUC-ROC falls when it is shuffled, on average; below 0 if the model ranks better without it.
    pub auc_drop: f64,
    /// The standard deviation of that fall between the shuffles.
    pub deviation: f64,
}

/// The importance of every input, greatest first. Calls `input_done` after each.
pub fn importances(
    model: &Model,
    part: &Part,
    seed: u64,
    input_done: &(dyn Fn() + Sync),
) -> Vec<Importance> {
    let part = &part.clone().sample(ROWS_MAX, seed);
    let whole = part.ranking(&model.probabilities(&part.inputs)).auc_roc();
    let mut importances: Vec<Importance> = (0..INPUTS.len())
        .into_par_iter()
        .map(|input| {
            let mut inputs = part.inputs.clone();
            let drops: Vec<f64> = (0..REPEATS)
                .map(|repeat| {
                    let mut rng = ChaCha8Rng::seed_from_u64(seed);
                    rng.set_stream(input as u64 * REPEATS + repeat);
                    let mut shuffled: Vec<f64> = part.inputs.iter().map(|row| row[input]).collect();
                    shuffled.shuffle(&mut rng);
                    for (row, value) in inputs.iter_mut().zip(shuffled) {
                        row[input] = value;
                    }
                    whole - part.ranking(&model.probabilities(&inputs)).auc_roc()
                })
                .collect();
            input_done();
            let mean = drops.iter().sum::<f64>() / drops.len() as f64;
            let squares: f64 = drops.iter().map(|drop| (drop - mean).powi(2)).sum();
            Importance {
                input: INPUTS[input],
                auc_drop: mean,
                deviation: (squares / drops.len() as f64).sqrt(),
            }
        })
        .collect();
    importances.sort_by(|a, b| b.auc_drop.total_cmp(&a.auc_drop));
    importances
}
