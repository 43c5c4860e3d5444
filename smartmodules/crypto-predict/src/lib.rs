//! SmartModule: predicts anomalies and trends with the models in its slot. All it knows stands in `market`.

use market::model::slot::Slot;
use market::model::{PredictParams, Predictor};
use market::{Input, Output, Params};
use smartmodule_abi::{Answers, Record, Records, SmartModule, export};

/// Room for 100 trees of 3,300 nodes. With it the module stays below 1 MB, what Kubernetes takes as one object.
const SLOT_BYTES: usize = 640 * 1024;

/// `coinlake` puts the models here, into the finished wasm.
static SLOT: Slot<SLOT_BYTES> = Slot::empty();

/// The module.
pub struct CryptoPredict {
    predictor: Predictor,
    output: Output,
}

impl SmartModule for CryptoPredict {
    fn init(params: Vec<(String, String)>) -> Result<Self, String> {
        let params =
            PredictParams::parse(Params::new(params)).map_err(|error| error.to_string())?;
        let models = SLOT
            .pair()
            .map_err(|error| format!("the models in crypto-predict cannot be used: {error}"))?;
        Ok(Self {
            predictor: Predictor::new(params, models),
            output: Output::new(),
        })
    }

    fn prepare(&mut self, records: Records<'_>) {
        self.predictor
            .read_batch(records.map(|record| input(&record)));
    }

    fn filter_map(&mut self, record: &Record<'_>, answers: &mut Answers<'_>) {
        if self.predictor.answer(&input(record), &mut self.output) {
            answers.push(self.output.key(), self.output.value());
        }
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

export!(CryptoPredict);
