//! One coin as CoinGecko's `/coins/markets` shows it.
//!
//! A field whose value a market doesn't know (`image`, `market_cap_rank`) is null, never invented.

use std::collections::VecDeque;
use std::io::Write as _;

use jiff::Timestamp;

const DAY_MS: i64 = 86_400_000;
/// Of each stretch the first price is kept, as in CoinGecko's chart of a day.
const STRETCH_MS: i64 = 300_000;

/// What the last 24 hours say about a coin.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Day {
    pub high: f64,
    pub low: f64,
    /// The newest price that was kept and is at least 24 hours old; `None` in a market's first day.
    pub price_before: Option<f64>,
}

/// The 24 hours behind one coin's newest tick.
#[derive(Debug, Default, Clone)]
pub(crate) struct DayWindow {
    /// The first tick of each stretch.
    ticks: VecDeque<(i64, f64)>,
    /// Candidates for the highest price, falling; the first one is it.
    highs: VecDeque<(i64, f64)>,
    /// Candidates for the lowest price, rising; the first one is it.
    lows: VecDeque<(i64, f64)>,
}

impl DayWindow {
    /// Takes a tick in (times never fall) and tells the day that ends with it.
    pub(crate) fn push(&mut self, time_ms: i64, price: f64) -> Day {
        let day_start = time_ms - DAY_MS;
        let stretch = |time_ms: i64| time_ms.div_euclid(STRETCH_MS);
        let last = self.ticks.back().map(|&(t, _)| stretch(t));
        if last.is_none_or(|last| last < stretch(time_ms)) {
            self.ticks.push_back((time_ms, price));
        }
        while self.ticks.get(1).is_some_and(|&(t, _)| t <= day_start) {
            self.ticks.pop_front();
        }
        let high = extreme(&mut self.highs, day_start, time_ms, price, |held| {
            held <= price
        });
        let low = extreme(&mut self.lows, day_start, time_ms, price, |held| {
            held >= price
        });
        let price_before = self
            .ticks
            .front()
            .filter(|&&(t, _)| t <= day_start)
            .map(|&(_, p)| p);
        Day {
            high,
            low,
            price_before,
        }
    }
}

fn extreme(
    candidates: &mut VecDeque<(i64, f64)>,
    day_start: i64,
    time_ms: i64,
    price: f64,
    beaten: impl Fn(f64) -> bool,
) -> f64 {
    while candidates.back().is_some_and(|&(_, p)| beaten(p)) {
        candidates.pop_back();
    }
    candidates.push_back((time_ms, price));
    while candidates.front().is_some_and(|&(t, _)| t <= day_start) {
        candidates.pop_front();
    }
    candidates.front().map_or(price, |&(_, p)| p)
}

/// What never changes about a coin, already as JSON: the object from its brace to `"current_price":`.
#[derive(Debug, Clone)]
pub(crate) struct Coin {
    pub id: std::sync::Arc<str>,
    head: Vec<u8>,
    pub day: DayWindow,
}

/// What a poll says about a coin at one time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Tick {
    pub time_ms: i64,
    pub price: f64,
    pub market_cap: Option<f64>,
    pub volume_24h: Option<f64>,
}

impl Coin {
    pub(crate) fn new(id: &str, symbol: &str, name: &str) -> Self {
        let text = |s: &str| serde_json::Value::from(s).to_string();
        let head = format!(
            r#"{{"id":{},"symbol":{},"name":{},"image":null,"current_price":"#,
            text(id),
            text(symbol),
            text(name)
        );
        Self {
            id: id.into(),
            head: head.into_bytes(),
            day: DayWindow::default(),
        }
    }

    /// Appends the coin's JSON object for a tick, which becomes part of the coin's 24 hours.
    pub(crate) fn write(&mut self, tick: Tick, json: &mut Vec<u8>) {
        let day = self.day.push(tick.time_ms, tick.price);
        json.extend_from_slice(&self.head);
        number(json, Some(tick.price));
        field(json, "market_cap", tick.market_cap);
        json.extend_from_slice(br#","market_cap_rank":null"#);
        field(json, "total_volume", tick.volume_24h);
        field(json, "high_24h", Some(day.high));
        field(json, "low_24h", Some(day.low));
        let change = day.price_before.map(|before| tick.price - before);
        let change_pct = day
            .price_before
            .map(|before| (tick.price / before - 1.0) * 100.0);
        field(json, "price_change_24h", change.map(|c| round(c, 1e8)));
        field(
            json,
            "price_change_percentage_24h",
            change_pct.map(|c| round(c, 1e5)),
        );
        json.extend_from_slice(br#","last_updated":""#);
        rfc3339(json, tick.time_ms);
        json.extend_from_slice(b"\"}");
    }
}

/// Appends `time_ms` the way CoinGecko writes times: RFC 3339, UTC, three decimals.
pub(crate) fn rfc3339(json: &mut Vec<u8>, time_ms: i64) {
    let time = Timestamp::from_millisecond(time_ms).unwrap_or(Timestamp::MAX);
    write!(json, "{time:.3}").expect("writing to memory cannot fail");
}

fn field(json: &mut Vec<u8>, name: &str, value: Option<f64>) {
    json.extend_from_slice(b",\"");
    json.extend_from_slice(name.as_bytes());
    json.extend_from_slice(b"\":");
    number(json, value);
}

/// The shortest decimal that reads back as the same number; null for an absent one.
fn number(json: &mut Vec<u8>, value: Option<f64>) {
    match value {
        Some(value) => serde_json::to_writer(json, &value).expect("writing to memory cannot fail"),
        None => json.extend_from_slice(b"null"),
    }
}

fn round(value: f64, scale: f64) -> f64 {
    (value * scale).round() / scale
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_day_is_that_of_a_plain_recomputation() {
        let ticks: Vec<(i64, f64)> = (0..200)
            .map(|i| (i * 1_800_000, f64::from((i * 7919 % 101) as i32)))
            .collect();
        let mut window = DayWindow::default();
        for (i, &(t, p)) in ticks.iter().enumerate() {
            let day = window.push(t, p);
            let inside = || ticks[..=i].iter().filter(|x| x.0 > t - DAY_MS).map(|x| x.1);
            assert_eq!(day.high, inside().fold(f64::MIN, f64::max));
            assert_eq!(day.low, inside().fold(f64::MAX, f64::min));
            let before = ticks[..=i].iter().rev().find(|x| x.0 <= t - DAY_MS);
            assert_eq!(day.price_before, before.map(|x| x.1));
        }
    }

    #[test]
    fn the_price_of_a_day_ago_is_the_first_of_its_five_minutes() {
        const MINUTE: i64 = 60_000;
        let mut window = DayWindow::default();
        for minute in 0..3 * 1_440 {
            let day = window.push(minute * MINUTE, minute as f64);
            let kept = (minute - 1_440).div_euclid(5) * 5;
            assert_eq!(day.price_before, (kept >= 0).then_some(kept as f64));
            assert!(window.ticks.len() <= 290, "{}", window.ticks.len());
        }
    }

    #[test]
    fn an_object_reads_back_as_what_was_put_in() {
        let mut coin = Coin::new("a\"b", "x", "A");
        let mut json = Vec::new();
        let tick = Tick {
            time_ms: 1_672_679_293_102,
            price: 2.2e-7,
            market_cap: None,
            volume_24h: Some(12.0),
        };
        coin.write(tick, &mut json);
        let value: serde_json::Value = serde_json::from_slice(&json).unwrap();
        assert_eq!(value["id"], "a\"b");
        assert_eq!(value["current_price"], 2.2e-7);
        assert!(value["market_cap"].is_null());
        assert_eq!(value["total_volume"], 12.0);
        assert!(value["price_change_percentage_24h"].is_null());
        assert_eq!(value["last_updated"], "2023-01-02T17:08:13.102Z");
    }
}
