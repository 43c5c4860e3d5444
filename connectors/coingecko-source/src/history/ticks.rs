//! Ticks made of charts, in the order of time.

use bytes::Bytes;
use connector_runtime::record::Outgoing;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;

use super::chart::Point;
use crate::reply::Coin;

/// The stretch of a coin's past that is to be filled, and with what.
#[derive(Debug)]
pub(super) struct Gap {
    /// The coin's id.
    pub id: String,
    symbol: Option<Box<RawValue>>,
    /// From this time on, in milliseconds since the epoch.
    pub from_ms: i64,
    /// Before this time: that of the coin's live object.
    pub until_ms: i64,
    points: Vec<Point>,
}

/// An object of the shape that `/coins/markets` has.
#[derive(Serialize)]
struct Object<'a> {
    id: &'a str,
    symbol: Option<&'a RawValue>,
    current_price: f64,
    market_cap: Option<f64>,
    total_volume: Option<f64>,
    last_updated: String,
    backfilled: bool,
}

impl Gap {
    /// The gap before a live object; none for an object without an id.
    pub(super) fn before(coin: &Coin, from_ms: i64, until_ms: i64) -> Option<Self> {
        #[derive(serde::Deserialize)]
        struct Names {
            id: String,
            symbol: Option<Box<RawValue>>,
        }
        let Names { id, symbol } = serde_json::from_slice(&coin.record.value).ok()?;
        Some(Self {
            id,
            symbol,
            from_ms,
            until_ms,
            points: Vec::new(),
        })
    }

    /// Takes the steps of a chart that lie in the gap and before those that it has already.
    pub(super) fn take(&mut self, mut points: Vec<Point>) {
        let until_ms = self
            .points
            .first()
            .map_or(self.until_ms, |first| first.time_ms);
        points.retain(|point| (self.from_ms..until_ms).contains(&point.time_ms));
        points.append(&mut self.points);
        self.points = points;
    }

    /// How many ticks fill it.
    pub(super) fn ticks(&self) -> usize {
        self.points.len()
    }

    fn record(&self, point: &Point) -> Outgoing {
        let time = Timestamp::from_millisecond(point.time_ms).unwrap_or_default();
        let object = Object {
            id: &self.id,
            symbol: self.symbol.as_deref(),
            current_price: point.price,
            market_cap: point.market_cap,
            total_volume: point.volume,
            last_updated: format!("{time:.3}"),
            backfilled: true,
        };
        let value = serde_json::to_vec(&object).expect("an object of texts and numbers is JSON");
        Outgoing {
            key: Some(Bytes::from(self.id.clone().into_bytes())),
            value: value.into(),
        }
    }
}

/// The ticks of all gaps, merged in the order of time; those of one time in the order of their ids.
pub(super) fn merged(gaps: &[Gap]) -> impl Iterator<Item = Outgoing> {
    let mut order: Vec<(&Point, &Gap)> = gaps
        .iter()
        .flat_map(|gap| gap.points.iter().map(move |point| (point, gap)))
        .collect();
    order.sort_unstable_by(|(a, of_a), (b, of_b)| {
        a.time_ms
            .cmp(&b.time_ms)
            .then_with(|| of_a.id.cmp(&of_b.id))
    });
    order.into_iter().map(|(point, gap)| gap.record(point))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gap(id: &str, from_ms: i64, until_ms: i64) -> Gap {
        let value = format!(r#"{{"symbol":"\u0062","id":"{id}","more":1}}"#);
        let coin = Coin {
            record: Outgoing {
                key: Some(Bytes::from(id.to_owned())),
                value: value.into(),
            },
            updated_ms: Some(until_ms),
        };
        Gap::before(&coin, from_ms, until_ms).unwrap()
    }

    fn steps(times: impl IntoIterator<Item = i64>) -> Vec<Point> {
        let point = |time_ms| Point {
            time_ms,
            price: time_ms as f64,
            market_cap: None,
            volume: Some(1.5),
        };
        times.into_iter().map(point).collect()
    }

    #[test]
    fn gaps_are_filled_in_the_order_of_time_from_the_finer_chart_first() {
        let (mut a, mut b) = (gap("a", 2, 9), gap("b", 0, 8));
        a.take(steps([1, 4, 5, 9]));
        b.take(steps([4, 7, 8]));
        b.take(steps([0, 3, 6]));
        let times: Vec<(String, String)> = merged(&[b, a])
            .map(|record| {
                let value: serde_json::Value = serde_json::from_slice(&record.value).unwrap();
                assert_eq!(value["backfilled"], true);
                assert_eq!(value["symbol"], "b");
                let text = |name: &str| value[name].as_str().unwrap().to_owned();
                (text("id"), text("last_updated")[19..].to_owned())
            })
            .collect();
        let expected = [
            ("b", ".000Z"),
            ("b", ".003Z"),
            ("a", ".004Z"),
            ("b", ".004Z"),
            ("a", ".005Z"),
            ("b", ".007Z"),
        ];
        assert_eq!(times, expected.map(|(a, b)| (a.to_owned(), b.to_owned())));
    }

    #[test]
    fn a_tick_is_what_crypto_clean_takes() {
        let mut gap = gap("a [old]", 0, 2_000_000_000_000);
        gap.take(steps([1_700_000_000_123]));
        let record = merged(&[gap]).next().unwrap();
        let tick = market::Tick::parse(&record.value).unwrap();
        assert_eq!((&*tick.coin, &*tick.symbol), ("a [old]", "b"));
        assert_eq!(tick.event_time, 1_700_000_000_123);
        assert_eq!((tick.market_cap, tick.volume_24h), (None, Some(1.5)));
        assert!(tick.backfilled);
    }
}
