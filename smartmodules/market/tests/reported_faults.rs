//! Faults that users of such programs have reported elsewhere, and what happens here instead.

#![allow(clippy::unwrap_used)] // Clippy sees no tests in the helpers.

use market::{
    Alert, AnomalyParams, AnomalyRule, Clean, Episodes, FeatureParams, Featurizer, News, Reason,
    Severity, Sighting, Tick,
};

const MINUTE: i64 = 60_000;
const START: i64 = 1_700_000_000_000;
const VOLUME: f64 = 1e9;

/// The alert on each of a coin's ticks: milliseconds since the first, price and 24-hour volume.
fn alerts(ticks: impl IntoIterator<Item = (i64, f64, f64)>) -> Vec<Option<Alert>> {
    let mut featurizer = Featurizer::new(FeatureParams::default());
    let rule = AnomalyRule::new(AnomalyParams::default());
    let alert = |(time, price, volume): (i64, f64, f64)| {
        let row = featurizer.row(Clean {
            raw_offset: None,
            coin: "coin".into(),
            symbol: "c".into(),
            event_time: START + time,
            fetched_at: None,
            price,
            market_cap: None,
            volume_24h: Some(volume),
            change_24h_pct: None,
            backfilled: false,
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

/// 5, 10 and 20 % down within one episode: people are told at its begin and each time it has gone as far again.
#[test]
fn a_crash_that_goes_on_is_told_again() {
    let falls = [0.05, 0.06, 0.08, 0.10, 0.12, 0.15, 0.19, 0.20, 0.20];
    let crash = falls.into_iter().zip(60_i64..);
    let crash = crash.map(|(fall, minute)| (minute * MINUTE, 100.0 * (1.0 - fall), VOLUME));
    let ticks: Vec<_> = quiet(60).chain(crash).collect();
    let mut episodes = Episodes::default();
    let mut told = Vec::new();
    for ((time, price, _), alert) in ticks.iter().zip(alerts(ticks.iter().copied())) {
        let Some(alert) = alert else { continue };
        let sighting = Sighting {
            event_time: START + time,
            price: *price,
            severity: alert.severity,
            moved: price / 100.0 - 1.0,
        };
        let news = episodes.take(&sighting);
        told.extend(news.map(|news| (news, (100.0 - price).round())));
    }
    assert_eq!(
        told,
        [
            (News::Begins, 5.0),
            (News::AsFarAgain, 10.0),
            (News::AsFarAgain, 20.0),
        ]
    );
}

#[test]
fn a_null_price_or_time_is_missing_and_other_nulls_are_not() {
    let object = |nulls: &[&str]| {
        let mut coin = serde_json::json!({
            "id": "bitcoin",
            "symbol": "btc",
            "current_price": 100.0,
            "market_cap": 1e12,
            "total_volume": VOLUME,
            "price_change_percentage_24h": 1.5,
            "last_updated": "2026-04-13T11:10:26.351Z",
        });
        for name in nulls {
            coin[*name] = serde_json::Value::Null;
        }
        coin.to_string()
    };
    for name in ["current_price", "last_updated"] {
        let coin = object(&[name]);
        let rejected = Tick::parse(coin.as_bytes()).unwrap_err();
        assert_eq!(rejected.reason, Reason::MissingField, "{name}");
        assert_eq!(rejected.coin.as_deref(), Some("bitcoin"), "{name}");
    }
    let coin = object(&["price_change_percentage_24h", "market_cap", "total_volume"]);
    let tick = Tick::parse(coin.as_bytes()).unwrap();
    assert_eq!(tick.change_24h_pct, None);
    assert_eq!((tick.market_cap, tick.volume_24h), (None, None));
}
