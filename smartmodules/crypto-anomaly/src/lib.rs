//! SmartModule: finds price and volume anomalies. The logic is in `market`.

use market::{AnomalyParams, AnomalyRule, Input, Output, Params};

smartmodule_abi::module! {
    /// Records of crypto-features in, alerts out.
    CryptoAnomaly(AnomalyRule), Input => Output;
    init: |params| AnomalyParams::parse(Params::new(params)).map(AnomalyRule::new);
    process: AnomalyRule::process;
}
