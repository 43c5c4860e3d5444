//! Every coin as it is now, for the Market page, and what the coins are called, for the chart's "Compare with".

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use crate::shared::Shared;
use crate::state::RowWithSpark;

#[derive(Serialize)]
pub(crate) struct MarketNow {
    /// The market's version that `rows` show. The page passes it to `/api/live` and gets what changed after it.
    version: u64,
    rows: Vec<RowWithSpark>,
}

pub(crate) async fn market(State(shared): State<Arc<Shared>>) -> Json<MarketNow> {
    let (version, rows) = shared.market.lock().rows();
    Json(MarketNow { version, rows })
}

/// What a coin is called.
#[derive(Serialize)]
pub(crate) struct Coin {
    coin: String,
    symbol: String,
    name: Option<String>,
}

/// Every coin, in the order of their ids.
pub(crate) async fn coins(State(shared): State<Arc<Shared>>) -> Json<Vec<Coin>> {
    let (_, rows) = shared.market.lock().rows_since(0);
    let coins = rows.into_iter().map(|row| Coin {
        coin: row.quote.coin,
        symbol: row.quote.symbol,
        name: row.name,
    });
    let mut coins: Vec<Coin> = coins.collect();
    coins.sort_by(|a, b| a.coin.cmp(&b.coin));
    Json(coins)
}
