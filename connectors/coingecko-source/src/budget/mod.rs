//! What CoinGecko allows: calls a minute and a month.

pub(crate) mod key;
pub(crate) mod month;
pub(crate) mod owner;
pub(crate) mod plan;
pub(crate) mod rate;
