//! SmartModule: finds price and volume anomalies. All it knows stands in `market`.

use market::{AnomalyParams, AnomalyRule, Input, Output, Params};
use smartmodule_abi::{Answers, Record, SmartModule, export};

/// The module.
pub struct CryptoAnomaly {
    rule: AnomalyRule,
    output: Output,
}

impl SmartModule for CryptoAnomaly {
    fn init(params: Vec<(String, String)>) -> Result<Self, String> {
        let params =
            AnomalyParams::parse(Params::new(params)).map_err(|error| error.to_string())?;
        Ok(Self {
            rule: AnomalyRule::new(params),
            output: Output::new(),
        })
    }

    fn filter_map(&mut self, record: &Record<'_>, answers: &mut Answers<'_>) {
        if self.rule.process(&input(record), &mut self.output) {
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

export!(CryptoAnomaly);
