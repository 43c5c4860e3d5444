//! Faults that users of such programs have reported elsewhere, and what happens here instead.

#![allow(clippy::unwrap_used)] // Clippy sees no tests in the helpers.

use market::{Alert, AnomalyParams, AnomalyRule, Clean, FeatureParams, Featurizer, Severity};

const MINUTE: i64 = 60_000;
const START: i64 = 1_700_000_000_000;
const VOLUME: f64 = 1e9;

/// The alert on each of a coin's ticks: milliseconds since the first, price and 24-hour volume.
fn alerts(ticks: impl IntoIterator<Item = (i64, f64, f64)>) -> Vec<Option<Alert>> {
    let mut featurizer = Featurizer::new(FeatureParams::default());
    let rule = AnomalyRule::new(AnomalyParams::default());
    let alert = |(time, price, volume): (i64, f64, f64)| {
        let row = featurizer.row(Clean {
            coin: "coin".into(),
            symbol: "c".into(),
            event_time: START + time,
            fetched_at: None,
            price,
            market_cap: None,
            volume_24h: Some(volume),
            change_24h_pct: None,
        });
        rule.judge_row(&row)
    };
    ticks.into_iter().map(alert).collect()
}

/// A quiet market, a tick a minute: 100, a hundredth of a percent up and down.
fn quiet(minutes: i64) -> impl Iterator<Item = (i64, f64, f64)> {
    (0..minutes).map(|minute| (minute * MINUTE, 100.0 + 0.01 * (minute % 2) as f64, VOLUME))
}

fn kinds(alert: Option<Alert>) -> Vec<&'static str> {
    alert.map_or(Vec::new(), |alert| alert.kinds.names().collect())
}

/// Above one, CoinGecko gives three decimals: a stablecoin steps by 0.1 %.
#[test]
fn a_stablecoins_rounding_step_is_no_alert() {
    let prices = [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.001, 1.0, 0.999, 1.001];
    let ticks = prices.into_iter().zip(0_i64..);
    let alerts = alerts(ticks.map(|(price, minute)| (minute * MINUTE, price, VOLUME)));
    assert!(alerts.iter().all(Option::is_none), "{alerts:?}");
}

#[test]
fn a_step_of_the_volume_is_no_alert_however_short_it_takes() {
    for (after_ms, share) in [(500, 1e-4), (500, 0.5), (MINUTE, 0.01), (MINUTE, 5.0)] {
        let last = 60 * MINUTE + after_ms;
        let then = (0..30).map(|minute| (last + minute * MINUTE, 100.0, VOLUME * (1.0 + share)));
        let alerts = alerts(quiet(61).chain(then));
        let critical = alerts
            .iter()
            .flatten()
            .find(|alert| alert.severity > Severity::Info);
        // A ratio above 3 makes a spike, without a score.
        assert_eq!(critical, None, "{share} in {after_ms} ms");
    }
}

#[test]
fn a_burst_of_trading_that_lasts_is_an_alert() {
    // Ten times the daily average for 20 minutes.
    let a_minute = VOLUME / 1_440.0;
    let burst = (1..=20_i32).map(|minute| {
        let time = (59 + i64::from(minute)) * MINUTE;
        (time, 100.0, VOLUME + 9.0 * a_minute * f64::from(minute))
    });
    let alerts = alerts(quiet(60).chain(burst));
    let first = alerts.iter().position(Option::is_some).unwrap();
    assert!((60 + 7..60 + 10).contains(&first), "{first}");
    assert_eq!(kinds(alerts[first]), ["volume_spike"]);
    assert!(alerts[79].unwrap().severity >= Severity::Warning);
}

/// A z-score whose baseline holds the point itself never passes 3 on so few ticks.
#[test]
fn a_spike_after_ten_quiet_ticks_is_an_alert() {
    let alerts = alerts(quiet(10).chain([(10 * MINUTE, 104.0, VOLUME)]));
    assert!(alerts[..10].iter().all(Option::is_none), "{alerts:?}");
    assert_eq!(kinds(alerts[10]), ["price_spike"]);
    assert_eq!(alerts[10].unwrap().severity, Severity::Critical);
}

/// A slow crash is part of its own baseline.
#[test]
fn a_slow_crash_is_critical() {
    for steps in [15_i32, 3] {
        let every = 15 / i64::from(steps);
        let crash = (1..=steps).map(|step| {
            let price = 100.0 * (1.0 - 0.05 * f64::from(step) / f64::from(steps));
            ((59 + i64::from(step) * every) * MINUTE, price, VOLUME)
        });
        let before = quiet(60).filter(|(time, ..)| (time / MINUTE + 1) % every == 0);
        let alerts = alerts(before.chain(crash));
        let worst = alerts
            .iter()
            .flatten()
            .max_by(|a, b| a.score.total_cmp(&b.score));
        assert_eq!(worst.unwrap().severity, Severity::Critical, "{steps} steps");
        assert!(kinds(*alerts.last().unwrap()).contains(&"price_move"));
    }
}
