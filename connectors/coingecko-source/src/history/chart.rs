//! A coin's chart, `/coins/{id}/market_chart`, as steps.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use serde::Deserialize;

use crate::reply::{Next, Trouble};
use crate::status::ErrorKind;

/// Times up to the end of the year 9999 in milliseconds.
const TIME_MS_MAX: f64 = 253_402_300_799_999.0;

/// One step of a chart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    /// Milliseconds since the epoch.
    pub time_ms: i64,
    /// Above 0.
    pub price: f64,
    pub market_cap: Option<f64>,
    /// Not below 0.
    pub volume: Option<f64>,
}

/// A time and a value.
type Pair = (f64, Option<f64>);

#[derive(Deserialize)]
struct Chart {
    prices: Vec<Pair>,
    #[serde(default)]
    market_caps: Option<Vec<Pair>>,
    #[serde(default)]
    total_volumes: Option<Vec<Pair>>,
}

/// The steps that have a price, by their times. The arrays are joined by their times, for they differ in length. The newest
/// price is the current one, which no later chart has, and is left out.
///
/// # Errors
/// When the body is no chart.
pub(super) fn points(body: &Bytes) -> Result<Vec<Point>, Trouble> {
    let chart: Chart = serde_json::from_slice(body).map_err(|error| Trouble {
        kind: ErrorKind::Malformed,
        what: format!("the reply is no chart: {error}"),
        next: Next::Skip,
    })?;
    let values = |pairs: Option<Vec<Pair>>| -> HashMap<i64, f64> {
        let pairs = pairs.unwrap_or_default().into_iter();
        pairs
            .filter_map(|(time, value)| Some((time_ms(time)?, value?)))
            .collect()
    };
    let market_caps = values(chart.market_caps);
    let volumes = values(chart.total_volumes);
    let prices = chart.prices.into_iter();
    let mut prices: BTreeMap<i64, Option<f64>> = prices
        .filter_map(|(time, price)| Some((time_ms(time)?, price)))
        .collect();
    prices.pop_last();
    let points = prices.into_iter().filter_map(|(time_ms, price)| {
        Some(Point {
            time_ms,
            price: price.filter(|price| *price > 0.0)?,
            market_cap: market_caps.get(&time_ms).copied(),
            volume: volumes
                .get(&time_ms)
                .copied()
                .filter(|volume| *volume >= 0.0),
        })
    });
    Ok(points.collect())
}

fn time_ms(time: f64) -> Option<i64> {
    (0.0..=TIME_MS_MAX)
        .contains(&time)
        .then_some(time.round() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Vec<(i64, f64, Option<f64>, Option<f64>)> {
        let points = points(&Bytes::from(body.to_owned())).unwrap();
        let tuple = |p: Point| (p.time_ms, p.price, p.market_cap, p.volume);
        points.into_iter().map(tuple).collect()
    }

    #[test]
    fn arrays_of_other_lengths_are_joined_by_time() {
        let body = r#"{"prices":[[1000,1.5],[2000,null],[3000,2],[4000.0,3e-7],[5000,9]],
            "market_caps":[[3000,30],[4000,null],[4500,7],[5000,90]],
            "total_volumes":[[1000,0.0],[3000,-1],[5000,5]],"more":[]}"#;
        assert_eq!(
            read(body),
            [
                (1_000, 1.5, None, Some(0.0)),
                (3_000, 2.0, Some(30.0), None),
                (4_000, 3e-7, None, None),
            ]
        );
        // 288 prices and 287 market values, as reported.
        let pairs = |count: i64| -> Vec<(i64, i64)> { (1..=count).map(|n| (n, n)).collect() };
        let body = serde_json::json!({
            "prices": pairs(288), "market_caps": pairs(287), "total_volumes": pairs(288),
        });
        let points = read(&body.to_string());
        assert_eq!(points.len(), 287);
        assert!(
            points
                .iter()
                .all(|p| p.2 == Some(p.1) && p.3 == Some(p.1) && p.0 as f64 == p.1)
        );
    }

    #[test]
    fn the_current_price_is_left_out_and_a_time_counts_once() {
        let body = r#"{"prices":[[3000,3],[1000,1],[1000,1],[2000,2]]}"#;
        let times: Vec<i64> = read(body).iter().map(|point| point.0).collect();
        assert_eq!(times, [1_000, 2_000]);
        let nothing = r#"{"prices":[],"market_caps":null,"total_volumes":[]}"#;
        assert!(read(nothing).is_empty());
        assert!(read(r#"{"prices":[[1000,7]]}"#).is_empty());
        assert!(read(r#"{"prices":[[-1,1],[1e300,1],[5,0],[6,-2],[7,1]]}"#).is_empty());
    }

    #[test]
    fn anything_else_is_no_chart() {
        for body in [
            "",
            "[]",
            "{}",
            "<html>",
            r#"{"prices":[[1]]}"#,
            r#"{"prices":[["a",1]]}"#,
            r#"{"error":"coin not found"}"#,
        ] {
            let trouble = points(&Bytes::from(body)).unwrap_err();
            assert!(trouble.what.contains("no chart"), "{body}");
        }
    }
}
