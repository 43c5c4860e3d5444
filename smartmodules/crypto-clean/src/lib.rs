//! SmartModule: cleans raw ticks and rejects bad ones. The logic is in `market`.

use market::{CleanParams, Cleaner, Input, Output, Params};

smartmodule_abi::module! {
    /// Records of crypto-raw in, clean ticks or rejections out.
    CryptoClean(Cleaner), Input => Output;
    init: |params| CleanParams::parse(Params::new(params)).map(Cleaner::new);
    process: Cleaner::process;
    look_back: Cleaner::look_back;
}
