//! What the console reads from crypto-features and crypto-predictions.

use connector_runtime::record::Record;
use serde::{Deserialize, Serialize};

use crate::state::points::{Outlook, Point};

/// A record of crypto-features, without the fields that no page shows.
#[derive(Deserialize)]
pub(crate) struct Features {
    pub source_offset: i64,
    #[serde(flatten)]
    pub quote: Quote,
    ma_5m: Option<f64>,
    ma_15m: Option<f64>,
    samples_15m: Option<u32>,
    volatility_15m: Option<f64>,
    backfilled: Option<bool>,
}

/// A coin's price and what the Market page shows beside it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Quote {
    pub coin: String,
    pub symbol: String,
    /// Milliseconds since the epoch.
    pub event_time: i64,
    /// USD.
    pub price: f64,
    market_cap: Option<f64>,
    volume_24h: Option<f64>,
    change_24h_pct: Option<f64>,
    return_1m: Option<f64>,
    return_5m: Option<f64>,
    return_15m: Option<f64>,
    zscore_15m: Option<f64>,
    volume_surge: Option<f64>,
}

/// A record of crypto-predictions, without the fields that no page shows.
#[derive(Deserialize)]
pub(crate) struct Prediction {
    pub source_offset: i64,
    pub coin: String,
    pub event_time: i64,
    #[serde(flatten)]
    pub forecast: Forecast,
}

/// What the models predict for a coin; all `None` where no model serves.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Forecast {
    pub anomaly_probability: Option<f64>,
    trend_up_probability: Option<f64>,
    anomaly_model: Option<String>,
    trend_model: Option<String>,
}

impl Features {
    pub(crate) fn point(&self) -> Point {
        Point {
            time: self.quote.event_time,
            price: self.quote.price,
            ma_5m: self.ma_5m,
            ma_15m: self.ma_15m,
            volatility_15m: self.volatility_15m,
            samples_15m: self.samples_15m.unwrap_or(0),
            volume_24h: self.quote.volume_24h,
            zscore_15m: self.quote.zscore_15m,
            outlook: Outlook::default(),
            backfilled: self.backfilled == Some(true),
        }
    }
}

impl Forecast {
    /// The probabilities, without the models' names.
    pub(crate) fn outlook(&self) -> Outlook {
        Outlook {
            anomaly_probability: self.anomaly_probability,
            trend_up_probability: self.trend_up_probability,
        }
    }
}

/// A record of crypto-predictions as the time of its tick and what it says; `None` for a record without predictions.
pub(crate) fn outlook_of(record: &Record) -> Option<(i64, Outlook)> {
    let prediction: Prediction = serde_json::from_slice(&record.value).ok()?;
    Some((prediction.event_time, prediction.forecast.outlook()))
}

/// A record of crypto-features as a point of its coin's chart; `None` for a record without features.
pub(crate) fn point_of(record: &Record) -> Option<Point> {
    let features: Features = serde_json::from_slice(&record.value).ok()?;
    Some(features.point())
}
