//! The user's rules on the field market: they hold at exactly the ticks that pandas says, at equality, over nulls and over gaps.

use std::fs;

use serde_json::json;

use super::history::{FIRST_UP_MS, first_day};
use super::simulated::Simulated;
use crate::demo::python;

const MINUTE_MS: i64 = 60_000;
const COINS: usize = 10;

/// A price in the middle of those that a coin will have in the lake.
fn a_price(simulated: &Simulated, coin: &str) -> f64 {
    let mut chart = simulated.chart(coin);
    // The current price is in no tick.
    chart.pop();
    let mut prices: Vec<f64> = chart.into_iter().map(|(_, price)| price).collect();
    prices.sort_by(f64::total_cmp);
    prices[prices.len() / 2]
}

/// `up` until then.
fn up_until(simulated: &Simulated, until_ms: i64) {
    let up = simulated.up(None);
    up.first_live();
    up.pass_until(until_ms);
    up.alerts_come();
    up.running.interrupt();
}

#[test]
fn rules_fire_at_exactly_the_ticks_that_pandas_says() {
    let simulated = first_day(COINS, "");
    let [bitcoin, ethereum] = ["bitcoin", "ethereum"].map(|coin| a_price(&simulated, coin));
    let rules = json!([
        {"name": "exact-below", "coins": ["bitcoin"], "when": format!("price crosses_below {bitcoin}"), "severity": "critical"},
        {"name": "exact-above", "coins": ["bitcoin"], "when": format!("price crosses_above {bitcoin}")},
        {"name": "exact-under", "coins": ["bitcoin"], "when": format!("price < {bitcoin}"), "severity": "info"},
        {"name": "exact-up-to", "coins": ["ethereum"], "when": format!("price <= {ethereum}"), "severity": "info"},
        {"name": "exact-over", "coins": ["ethereum"], "when": format!("price > {ethereum}")},
        {"name": "exact-from", "coins": ["ethereum"], "when": format!("price >= {ethereum}"), "severity": "info"},
        {"name": "has-before", "when": "price_prev > 0", "severity": "info"},
        {"name": "moves", "when": "abs(return_15m) > 0.002 and market_cap > 1"},
        {"name": "calm", "when": "zscore_15m < 1 and zscore_15m > -1 and volume_ratio >= 0.999", "severity": "info"},
    ]);
    let file = simulated.folder().join("rules.json");
    fs::write(&file, rules.to_string()).unwrap();
    let settings = simulated.folder().join("coinlake.yaml");
    let text = fs::read_to_string(&settings).unwrap() + &format!("alerts: {{rules: {rules}}}\n");
    fs::write(&settings, &text).unwrap();

    up_until(&simulated, FIRST_UP_MS + 30 * MINUTE_MS);
    // From now on gaps stay: an hour, over which a price crosses, and two, over which none does.
    let text = text.replace(
        "calls_file: calls.json",
        "history: off, calls_file: calls.json",
    );
    fs::write(&settings, text).unwrap();
    for minutes in [61, 120] {
        let at_ms = simulated.now_ms() + minutes * MINUTE_MS;
        simulated.jump_to(at_ms);
        up_until(&simulated, at_ms + 30 * MINUTE_MS);
    }
    python("rules.py", &[&simulated.lake(), &file]);
}
