//! What a training is made from: a bounded number of rows, whatever the size of the lake.

use indicatif::ProgressBar;
use market::model::Inputs;

use super::settings::TrainSettings;
use crate::data::{DataError, Features, Label, Part, Place, Rows, Split};

/// The rows to fit and to test each label's model on, and what is said of all rows. With another `I` than [`Inputs`] the
/// inputs are still to be read.
pub(super) struct Material<I = Inputs> {
    pub(super) facts: Facts,
    pub(super) splits: Vec<(Label, Split<I>)>,
    /// A sentence for each label that cannot be trained.
    pub(super) left_out: Vec<String>,
}

/// What is said of all rows, also of those that no sample has.
pub(crate) struct Facts {
    pub(crate) rows: usize,
    pub(crate) of_other_features: usize,
    pub(crate) coins: Vec<String>,
    /// The first and the last event time.
    pub(crate) range: (i64, i64),
}

impl<I: Copy> Material<I> {
    /// Labels rows and splits them, then draws samples if there are more than a training may have.
    pub(super) fn of_rows(rows: &Rows<I>, settings: &TrainSettings) -> Self {
        let facts = Facts {
            rows: rows.len(),
            of_other_features: rows.of_other_features(),
            coins: rows.coins().to_vec(),
            range: rows.range().unwrap_or_default(),
        };
        let (mut splits, mut left_out) = (Vec::new(), Vec::new());
        for label in Label::ALL {
            match Part::of_rows(rows, label).split(label) {
                Ok(Split { fit, test }) => {
                    let seed = settings.forest.seed;
                    let split = Split {
                        fit: fit.sample(settings.fit_rows_max, seed),
                        test: test.sample(settings.test_rows_max, seed),
                    };
                    splits.push((label, split));
                }
                Err(problem) => left_out.push(problem.to_string()),
            }
        }
        Self {
            facts,
            splits,
            left_out,
        }
    }
}

impl Material<Place> {
    /// Reads the inputs.
    pub(super) async fn read(
        self,
        features: &Features,
        progress: &ProgressBar,
    ) -> Result<Material, DataError> {
        let parts = self
            .splits
            .iter()
            .flat_map(|(_, split)| [&split.fit, &split.test]);
        let places: Vec<&[Place]> = parts.map(|part| part.inputs.as_slice()).collect();
        let mut inputs = features.inputs(&places, progress).await?.into_iter();
        let mut with_inputs = |part: Part<Place>| Part {
            times: part.times,
            inputs: inputs.next().unwrap_or_default(),
            labels: part.labels,
            weights: part.weights,
        };
        let splits = self.splits.into_iter().map(|(label, split)| {
            let split = Split {
                fit: with_inputs(split.fit),
                test: with_inputs(split.test),
            };
            (label, split)
        });
        Ok(Material {
            splits: splits.collect(),
            facts: self.facts,
            left_out: self.left_out,
        })
    }
}
