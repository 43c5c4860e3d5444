//! SmartModule: cleans raw ticks and rejects bad ones. All it knows stands in `market`.

use market::{CleanParams, Cleaner, Input, Output, Params};
use smartmodule_abi::{Answers, Record, SmartModule, export};

/// The module.
pub struct CryptoClean {
    cleaner: Cleaner,
    output: Output,
}

impl SmartModule for CryptoClean {
    fn init(params: Vec<(String, String)>) -> Result<Self, String> {
        let params = CleanParams::parse(Params::new(params)).map_err(|error| error.to_string())?;
        Ok(Self {
            cleaner: Cleaner::new(params),
            output: Output::new(),
        })
    }

    fn filter_map(&mut self, record: &Record<'_>, answers: &mut Answers<'_>) {
        if self.cleaner.process(&input(record), &mut self.output) {
            answers.push(self.output.key(), self.output.value());
        }
    }

    fn look_back(&mut self, record: &Record<'_>) {
        self.cleaner.look_back(&input(record));
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

export!(CryptoClean, look_back);
