//! SmartModule: computes features over sliding windows. All it knows stands in `market`.

use market::{FeatureParams, Featurizer, Input, Output, Params};
use smartmodule_abi::{Answers, Record, SmartModule, export};

/// The module.
pub struct CryptoFeatures {
    featurizer: Featurizer,
    output: Output,
}

impl SmartModule for CryptoFeatures {
    fn init(params: Vec<(String, String)>) -> Result<Self, String> {
        let params =
            FeatureParams::parse(Params::new(params)).map_err(|error| error.to_string())?;
        Ok(Self {
            featurizer: Featurizer::new(params),
            output: Output::new(),
        })
    }

    fn filter_map(&mut self, record: &Record<'_>, answers: &mut Answers<'_>) {
        if self.featurizer.process(&input(record), &mut self.output) {
            answers.push(self.output.key(), self.output.value());
        }
    }

    fn look_back(&mut self, record: &Record<'_>) {
        self.featurizer.look_back(&input(record));
    }
}

fn input<'a>(record: &Record<'a>) -> Input<'a> {
    let Record {
        offset,
        timestamp_ms,
        key,
        value,
    } = *record;
    Input {
        offset,
        timestamp_ms,
        key,
        value,
    }
}

export!(CryptoFeatures, look_back);
