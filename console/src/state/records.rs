//! What the console reads from crypto-features and crypto-predictions.

use connector_runtime::record::Record;
use market::{FeaturesRecord, FieldSet};
use serde::{Deserialize, Serialize};

use crate::state::points::{Outlook, Point};

/// The numbers of crypto-features that pages show.
const SHOWN: FieldSet = FieldSet::of(&[
    "market_cap",
    "volume_24h",
    "change_24h_pct",
    "ma_5m",
    "ma_15m",
    "samples_15m",
    "volatility_15m",
    "return_1m",
    "return_5m",
    "return_15m",
    "zscore_15m",
    "volume_surge",
]);

/// A record of crypto-features, as far as pages show it.
pub(crate) struct Features {
    pub source_offset: i64,
    pub quote: Quote,
    pub point: Point,
}

/// A coin's price and what the Market page shows beside it.
#[derive(Debug, Clone, Serialize)]
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
    anomaly_probability: Option<f64>,
    trend_up_probability: Option<f64>,
    anomaly_model: Option<String>,
    trend_model: Option<String>,
}

/// What the models predict for a coin; all `None` where no model serves.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Forecast {
    pub anomaly_probability: Option<f64>,
    trend_up_probability: Option<f64>,
    anomaly_model: Option<String>,
    trend_model: Option<String>,
}

impl Features {
    /// `None` for any other record.
    pub(crate) fn read(payload: &[u8]) -> Option<Self> {
        let row = FeaturesRecord::read(payload, SHOWN)?;
        let windows = &row.windows;
        Some(Self {
            source_offset: row.source_offset?,
            point: point(&row),
            quote: Quote {
                return_1m: windows.return_1m,
                return_5m: windows.return_5m,
                return_15m: windows.return_15m,
                zscore_15m: windows.zscore_15m,
                volume_surge: windows.volume_surge,
                coin: row.coin.into_owned(),
                symbol: row.symbol?.into_owned(),
                event_time: row.event_time,
                price: row.price,
                market_cap: row.market_cap,
                volume_24h: row.volume_24h,
                change_24h_pct: row.change_24h_pct,
            },
        })
    }
}

impl Prediction {
    pub(crate) fn forecast(self) -> Forecast {
        Forecast {
            anomaly_probability: self.anomaly_probability,
            trend_up_probability: self.trend_up_probability,
            anomaly_model: self.anomaly_model,
            trend_model: self.trend_model,
        }
    }
}

impl Forecast {
    /// The probabilities, without the models' names.
    pub(crate) fn outlook(&self) -> Outlook {
        Outlook {
            anomaly_probability: self.anomaly_probability.into(),
            trend_up_probability: self.trend_up_probability.into(),
        }
    }
}

/// A record of crypto-predictions as the time of its tick and what it says; `None` for a record without predictions.
pub(crate) fn outlook_of(record: &Record) -> Option<(i64, Outlook)> {
    let prediction: Prediction = serde_json::from_slice(&record.value).ok()?;
    Some((prediction.event_time, prediction.forecast().outlook()))
}

/// A record of crypto-features as a point of its coin's chart; `None` for a record without features.
pub(crate) fn point_of(record: &Record) -> Option<Point> {
    FeaturesRecord::read(&record.value, SHOWN).map(|row| point(&row))
}

fn point(row: &FeaturesRecord<'_>) -> Point {
    let windows = &row.windows;
    Point {
        time: row.event_time,
        price: row.price,
        ma_5m: windows.ma_5m.into(),
        ma_15m: windows.ma_15m.into(),
        volatility_15m: windows.volatility_15m.into(),
        samples_15m: windows.samples_15m.unwrap_or(0),
        volume_24h: row.volume_24h.into(),
        zscore_15m: windows.zscore_15m.into(),
        outlook: Outlook::default(),
        backfilled: row.backfilled,
    }
}
