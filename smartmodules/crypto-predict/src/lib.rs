//! SmartModule: predicts anomalies and trends with the models in its slot. The logic is in `market`.

use market::model::slot::{SLOT_BYTES, Slot};
use market::model::{ModelError, ModelPair, PredictParams, Predictor};
use market::{Input, Output, Params};

/// `coinlake` writes the models here, into the finished wasm.
static SLOT: Slot<SLOT_BYTES> = Slot::empty();

smartmodule_abi::module! {
    /// Records of crypto-features in, predictions out.
    CryptoPredict(Predictor), Input => Output;
    init: start;
    prepare: Predictor::predict_batch;
    process: Predictor::next_output;
}

fn start(params: Vec<(String, String)>) -> Result<Predictor, String> {
    let params = PredictParams::parse(Params::new(params)).map_err(|error| error.to_string())?;
    let models = match SLOT.pair() {
        // What they learned is not what crypto-features computes: every record gets the status `none`.
        Err(ModelError::OtherFeatures { .. }) => ModelPair::default(),
        models => models
            .map_err(|error| format!("the models in crypto-predict cannot be used: {error}"))?,
    };
    Ok(Predictor::new(params, models))
}
