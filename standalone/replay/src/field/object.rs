//! A coin's object in a reply of `/coins/markets`, with all digits.

use std::io::Write as _;

use super::catalogue::Asset;
use super::listing::Shown;
use crate::coin::rfc3339;

/// Appends the object. A coin without a market cap has no rank.
pub(super) fn write(
    json: &mut Vec<u8>,
    asset: &Asset,
    shown: &Shown,
    last_updated_ms: i64,
    rank: Option<usize>,
) {
    text(json, "{\"id\":", &asset.id);
    text(json, ",\"symbol\":", &asset.symbol);
    text(json, ",\"name\":", &asset.name);
    json.extend_from_slice(b",\"image\":null,\"current_price\":");
    price(json, shown.price);
    let market_cap = shown.market_cap.round();
    number(json, "market_cap", Some(market_cap));
    let rank = rank.filter(|_| market_cap > 0.0);
    number(json, "market_cap_rank", rank.map(|rank| rank as f64));
    number(json, "fully_diluted_valuation", Some(market_cap));
    number(json, "total_volume", Some(volume(shown.volume)));
    let priced = shown.price.is_some();
    json.extend_from_slice(b",\"high_24h\":");
    price(json, priced.then_some(shown.day.high));
    json.extend_from_slice(b",\"low_24h\":");
    price(json, priced.then_some(shown.day.low));
    let before = shown.day.price_before.filter(|&before| before > 0.0);
    let both = shown.price.zip(before);
    number(
        json,
        "price_change_24h",
        both.map(|(now, before)| now - before),
    );
    let percent = both.map(|(now, before)| ((now / before - 1.0) * 1e7).round() / 1e5);
    number(json, "price_change_percentage_24h", percent);
    number(json, "circulating_supply", Some(asset.supply.round()));
    json.extend_from_slice(b",\"roi\":null,\"last_updated\":\"");
    rfc3339(json, last_updated_ms);
    json.extend_from_slice(b"\"}");
}

/// A price; whole numbers of five digits and more without a point, as CoinGecko writes them.
pub(super) fn price(json: &mut Vec<u8>, price: Option<f64>) {
    match price {
        None => json.extend_from_slice(b"null"),
        Some(price) if price.fract() == 0.0 && (1e4..1e15).contains(&price) => {
            write!(json, "{}", price as i64).expect("writing to memory cannot fail");
        }
        Some(price) => {
            serde_json::to_writer(json, &price).expect("writing to memory cannot fail");
        }
    }
}

/// Large volumes come whole, small ones with cents.
fn volume(volume: f64) -> f64 {
    match volume {
        1e5.. => volume.round(),
        _ => (volume * 100.0).round() / 100.0,
    }
}

fn number(json: &mut Vec<u8>, name: &str, value: Option<f64>) {
    write!(json, ",\"{name}\":").expect("writing to memory cannot fail");
    price(json, value);
}

fn text(json: &mut Vec<u8>, head: &str, value: &str) {
    json.extend_from_slice(head.as_bytes());
    serde_json::to_writer(json, value).expect("writing to memory cannot fail");
}
