//! Parameters of crypto-anomaly.

use super::alert::Severity;
use super::rules::Rules;
use crate::params::{Emit, ParamError, Params};

/// Parameters of crypto-anomaly.
#[derive(Debug, Clone, PartialEq)]
pub struct AnomalyParams {
    /// `alerts` (default) or `all`.
    pub emit: Emit,
    /// A price is a spike or a move only if |zscore_15m| or |return_zscore_15m| is above this; default 3.
    pub price_zscore: f64,
    /// A price is a spike only if |move_15m| is above this; default 0.007, which is 0.7 %.
    pub min_move: f64,
    /// A price is a move only if |return_15m| is above this; default 0.014, which is 1.4 %.
    pub min_return: f64,
    /// A volume is a spike if volume_surge or volume_ratio is above this; default 3.
    pub volume_surge: f64,
    /// The mildest severity to alert on; default warning. Rules do not heed it.
    pub min_severity: Severity,
    /// The user's own; default none.
    pub rules: Rules,
    /// What prices are in, as messages name it; default `USD`.
    pub currency: String,
}

impl Default for AnomalyParams {
    fn default() -> Self {
        Self {
            emit: Emit::Only("alert"),
            price_zscore: 3.0,
            min_move: 0.007,
            min_return: 0.014,
            volume_surge: 3.0,
            min_severity: Severity::Warning,
            rules: Rules::default(),
            currency: "USD".to_owned(),
        }
    }
}

impl AnomalyParams {
    /// Reads `emit`, `price_zscore`, `min_move`, `min_return`, `volume_surge`, `min_severity`, `rules` and `currency`.
    ///
    /// # Errors
    ///
    /// [`ParamError`] names the parameter and the values it accepts.
    pub fn parse(mut params: Params) -> Result<Self, ParamError> {
        let default = Self::default();
        let emit = params.take_emit(&[("alerts", "alert")])?;
        let price_zscore = params.take_positive("price_zscore")?;
        let min_move = params.take_positive("min_move")?;
        let min_return = params.take_positive("min_return")?;
        let volume_surge = params.take_positive("volume_surge")?;
        let expected = "`info`, `warning` or `critical`";
        let min_severity = params.take("min_severity", expected, Severity::named)?;
        let rules = params.take_checked("rules", Rules::parse)?;
        let expected = "a currency of CoinGecko, such as `usd`";
        let currency = params.take("currency", expected, currency)?;
        params.finish()?;
        Ok(Self {
            emit,
            price_zscore: price_zscore.unwrap_or(default.price_zscore),
            min_move: min_move.unwrap_or(default.min_move),
            min_return: min_return.unwrap_or(default.min_return),
            volume_surge: volume_surge.unwrap_or(default.volume_surge),
            min_severity: min_severity.unwrap_or(default.min_severity),
            rules: rules.unwrap_or_default(),
            currency: currency.unwrap_or(default.currency),
        })
    }
}

/// A currency as people write it: `EUR`.
fn currency(code: &str) -> Option<String> {
    let is_code = !code.is_empty() && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_code.then(|| code.to_ascii_uppercase())
}
