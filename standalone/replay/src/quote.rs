//! What a chart says of a coin.

/// What a coin is at one time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Quote {
    pub price: f64,
    pub market_cap: Option<f64>,
    pub volume: Option<f64>,
}
