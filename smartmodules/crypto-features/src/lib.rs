//! SmartModule: computes features over sliding windows. The logic is in `market`.

use market::{FeatureParams, Featurizer, Input, Output, Params};

smartmodule_abi::module! {
    /// Records of crypto-clean in, feature rows out.
    CryptoFeatures(Featurizer), Input => Output;
    init: |params| FeatureParams::parse(Params::new(params)).map(Featurizer::new);
    process: Featurizer::process;
    look_back: Featurizer::look_back;
}
