//! Permutation importance: how much worse the order gets when one input is dealt out among the rows anew.

use market::model::INPUTS;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::data::Part;
use crate::evaluation::Ranking;
use crate::model::Model;

/// How often each input is dealt out anew.
const REPEATS: u64 = 3;

/// What an input is worth to a model.
#[derive(Debug, Clone, PartialEq)]
pub struct Importance {
    /// The input.
    pub input: &'static str,
    /// By how much AUC-ROC falls without it, on average; below 0 when the model does better without.
    pub auc_drop: f64,
    /// How much that varies between the repeats (standard deviation).
    pub deviation: f64,
}

/// The importance of every input, greatest first.
pub fn importances(model: &Model, part: &Part, seed: u64) -> Vec<Importance> {
    let whole = Ranking::of(&model.probabilities(&part.inputs), &part.labels).auc_roc();
    let mut importances: Vec<Importance> = (0..INPUTS.len())
        .into_par_iter()
        .map(|input| {
            let drops: Vec<f64> = (0..REPEATS)
                .map(|repeat| {
                    let mut rng = ChaCha8Rng::seed_from_u64(seed);
                    rng.set_stream(input as u64 * REPEATS + repeat);
                    let mut dealt: Vec<f64> = part.inputs.iter().map(|row| row[input]).collect();
                    dealt.shuffle(&mut rng);
                    let mut inputs = part.inputs.clone();
                    for (row, value) in inputs.iter_mut().zip(dealt) {
                        row[input] = value;
                    }
                    whole - Ranking::of(&model.probabilities(&inputs), &part.labels).auc_roc()
                })
                .collect();
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
