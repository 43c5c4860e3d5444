//! The delivery of the field market: each fault is there as often as recorded, and gone when it is switched off.
//!
//! The figures are those measured on recorded replies of the first 250 coins, a median of 29 minutes apart.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::LazyLock;

use replay::{Dating, Faults, FieldMarket, FieldSettings, Step};

/// A coin as a reply shows it.
struct Coin {
    id: String,
    symbol: String,
    price: Option<f64>,
    high: f64,
    low: f64,
    volume: f64,
    last_updated_ms: i64,
}

/// A reply of a page of 250, by its time; none where the poll was refused.
type Polls = Vec<(i64, Option<Vec<Coin>>)>;

fn polls(settings: FieldSettings) -> Polls {
    let (mut steps, mut step) = (FieldMarket::new(settings).steps(), Step::default());
    let mut polls = Vec::new();
    while steps.next_into(&mut step) {
        let coins = step.elements().take(250).map(|e| read(e.json)).collect();
        polls.push((step.time_ms, step.refusal.is_none().then_some(coins)));
    }
    polls
}

fn read(json: &[u8]) -> Coin {
    let coin: serde_json::Value = serde_json::from_slice(json).unwrap();
    let text = |name: &str| coin[name].as_str().unwrap().to_owned();
    let last_updated: jiff::Timestamp = text("last_updated").parse().unwrap();
    Coin {
        id: text("id"),
        symbol: text("symbol"),
        price: coin["current_price"].as_f64(),
        high: coin["high_24h"].as_f64().unwrap_or(f64::INFINITY),
        low: coin["low_24h"].as_f64().unwrap_or(0.0),
        volume: coin["total_volume"].as_f64().unwrap(),
        last_updated_ms: last_updated.as_millisecond(),
    }
}

/// Two months with all faults, polled as the recorded replies were, at no round time of the minute.
fn as_recorded(dating: Dating) -> &'static Polls {
    static OWN: LazyLock<Polls> = LazyLock::new(|| make(Dating::OwnTime));
    static SHARED: LazyLock<Polls> = LazyLock::new(|| make(Dating::SharedTime));
    fn make(dating: Dating) -> Polls {
        polls(FieldSettings {
            minutes: 60 * 1_440,
            poll_secs: 29 * 60 + 7,
            dating,
            ..FieldSettings::default()
        })
    }
    match dating {
        Dating::OwnTime => &OWN,
        Dating::SharedTime => &SHARED,
    }
}

fn coins(polls: &Polls) -> impl Iterator<Item = (i64, &Coin)> {
    polls
        .iter()
        .filter_map(|(time, coins)| Some((*time, coins.as_ref()?)))
        .flat_map(|(time, coins)| coins.iter().map(move |coin| (time, coin)))
}

/// Quantiles of the ages in seconds.
fn ages<const N: usize>(polls: &Polls, quantiles: [f64; N]) -> [i64; N] {
    let age = |(time, coin): (i64, &Coin)| (time - coin.last_updated_ms) / 1_000;
    let mut ages: Vec<i64> = coins(polls).map(age).collect();
    ages.sort_unstable();
    quantiles.map(|q| ages[((ages.len() - 1) as f64 * q) as usize])
}

/// Pairs of one coin's consecutive showings that satisfy a condition, and all pairs.
fn pairs(polls: &Polls, is: impl Fn(&Coin, &Coin) -> bool) -> (usize, usize) {
    let mut before: HashMap<&str, &Coin> = HashMap::new();
    let (mut found, mut all) = (0, 0);
    for (_, coin) in coins(polls) {
        if let Some(before) = before.insert(&coin.id, coin) {
            found += usize::from(is(before, coin));
            all += 1;
        }
    }
    (found, all)
}

fn share((found, all): (usize, usize)) -> f64 {
    found as f64 / all as f64
}

#[test]
fn ages_are_those_of_each_way_to_date() {
    let own = ages(as_recorded(Dating::OwnTime), [0.05, 0.5, 0.9]);
    println!("each coin its own time: {own:?} s, recorded [21, 60, 102]");
    for (age, recorded) in own.into_iter().zip([21, 60, 102]) {
        assert!(
            (recorded * 2 / 3..=recorded * 3 / 2).contains(&age),
            "{own:?}"
        );
    }
    let polls = as_recorded(Dating::SharedTime);
    let shared = ages(polls, [0.05, 0.5, 0.9]);
    println!("one time for all: {shared:?} s, recorded [130, 182, 240]");
    for (age, recorded) in shared.into_iter().zip([130, 182, 240]) {
        assert!(
            (recorded * 2 / 3..=recorded * 3 / 2).contains(&age),
            "{shared:?}"
        );
    }
    // Almost all coins of a reply share a whole second, but for the replies that are dated the old way.
    let (mut together, mut apart) = (0, 0);
    for coins in polls.iter().filter_map(|(_, coins)| coins.as_ref()) {
        let times: HashSet<i64> = coins.iter().map(|coin| coin.last_updated_ms).collect();
        if times.len() < 40 {
            together += 1;
            let whole = coins
                .iter()
                .filter(|coin| coin.last_updated_ms % 1_000 == 0);
            assert!(whole.count() > 240);
        } else {
            apart += 1;
        }
    }
    println!("{together} replies with one time, {apart} with one a coin");
    assert!(apart > 0 && together > 20 * apart);
}

#[test]
fn faults_are_as_frequent_as_recorded() {
    let polls = as_recorded(Dating::OwnTime);
    let rows = coins(polls).count() as f64;

    let backward = share(pairs(polls, |a, b| b.last_updated_ms < a.last_updated_ms));
    println!("backward: {backward:.5}, recorded 0.0008");
    assert!((0.0002..0.003).contains(&backward));
    let again = share(pairs(polls, |a, b| {
        b.last_updated_ms == a.last_updated_ms && (b.price != a.price || b.volume != a.volume)
    }));
    println!("the same time with another price or volume: {again:.4}, recorded 0.005");
    assert!((0.002..0.01).contains(&again));

    for (limit_secs, recorded, least, most) in [(600, 4, 2, 8), (3_600, 2, 1, 6), (86_400, 1, 1, 4)]
    {
        let old = |time: i64, coin: &&Coin| time - coin.last_updated_ms > limit_secs * 1_000;
        let mut counts: Vec<usize> = polls
            .iter()
            .filter_map(|(time, coins)| Some((time, coins.as_ref()?)))
            .map(|(time, coins)| coins.iter().filter(|coin| old(*time, coin)).count())
            .collect();
        counts.sort_unstable();
        let median = counts[counts.len() / 2];
        println!("older than {limit_secs} s: {median} of 250, recorded {recorded}");
        assert!((least..=most).contains(&median));
    }
    assert!(ages(polls, [1.0])[0] > 209 * 86_400);

    let outside = coins(polls)
        .filter(|(_, coin)| coin.price.is_some_and(|p| coin.high < p || coin.low > p))
        .count() as f64;
    println!(
        "outside of the day's range: {:.4}, recorded 0.039",
        outside / rows
    );
    assert!((0.02..0.08).contains(&(outside / rows)));
    let null = coins(polls)
        .filter(|(_, coin)| coin.price.is_none())
        .count();
    println!("null prices: {null} of {rows}, recorded 2 of 959,750");
    assert!((1..=8).contains(&null));
    assert!(coins(polls).any(|(_, coin)| coin.volume == 0.0));

    let refused = polls.iter().filter(|(_, coins)| coins.is_none()).count();
    println!("refused: {refused} of {}", polls.len());
    assert!(refused > 0);

    let sets: Vec<HashSet<&str>> = polls
        .iter()
        .filter_map(|(_, coins)| Some(coins.as_ref()?.iter().map(|c| &*c.id).collect()))
        .collect();
    let mut left: Vec<usize> = sets
        .windows(2)
        .map(|pair| pair[0].difference(&pair[1]).count())
        .collect();
    left.sort_unstable();
    let (most, mean) = (
        left[left.len() - 1],
        left.iter().sum::<usize>() as f64 / left.len() as f64,
    );
    println!(
        "coins that leave the list: {mean:.2} a reply, at most {most}; recorded 1 in the median, 3 in 99 %"
    );
    assert!((0.05..3.0).contains(&mean));
}

#[test]
fn some_replies_are_frozen_for_hours() {
    // A cache for half a minute is no freeze.
    let polls = as_recorded(Dating::SharedTime);
    let times = |coins: &Vec<Coin>| coins.iter().map(|coin| coin.last_updated_ms).max();
    let newest: Vec<Option<i64>> = polls
        .iter()
        .filter_map(|(_, coins)| Some(times(coins.as_ref()?)))
        .collect();
    let frozen = newest.windows(2).filter(|pair| pair[0] == pair[1]).count();
    println!("{frozen} of {} replies are the one before", newest.len());
    assert!(frozen > 0);
}

#[test]
fn without_faults_every_poll_brings_every_coin_anew() {
    for dating in [Dating::OwnTime, Dating::SharedTime] {
        let polls = polls(FieldSettings {
            minutes: 1_440,
            dating,
            faults: Faults::NONE,
            ..FieldSettings::default()
        });
        assert_eq!(polls.len(), 1_440);
        assert!(
            polls
                .iter()
                .all(|(_, coins)| coins.as_ref().is_some_and(|c| c.len() == 250))
        );
        let (back, all) = pairs(&polls, |a, b| b.last_updated_ms < a.last_updated_ms);
        // A coin's own lag varies by more than a poll, so only a shared time never goes back.
        assert!(dating == Dating::OwnTime || back == 0, "{back} of {all}");
        assert!(ages(&polls, [1.0])[0] < 600);
        assert!(coins(&polls).all(|(_, coin)| coin.price.is_some()));
        let first: Vec<&str> = polls[0]
            .1
            .as_ref()
            .unwrap()
            .iter()
            .map(|c| &*c.id)
            .collect();
        for coins in polls.iter().filter_map(|(_, coins)| coins.as_ref()) {
            assert!(coins.iter().map(|coin| &*coin.id).eq(first.iter().copied()));
        }
    }
}

#[test]
fn symbols_repeat_and_ids_do_not() {
    let market = FieldMarket::new(FieldSettings {
        minutes: 1,
        ..FieldSettings::default()
    });
    let mut step = Step::default();
    assert!(market.steps().next_into(&mut step));
    let coins: Vec<Coin> = step.elements().map(|e| read(e.json)).collect();
    let ids: HashSet<&str> = coins.iter().map(|coin| &*coin.id).collect();
    assert_eq!(ids.len(), 282);
    let mut symbols: BTreeMap<&str, usize> = BTreeMap::new();
    for coin in &coins {
        *symbols.entry(&coin.symbol).or_default() += 1;
    }
    assert_eq!((symbols["usdf"], symbols["m"]), (2, 2));
    for odd in ["-6", "1move token", "boringdao-[old]", "status"] {
        assert!(ids.contains(odd), "{odd}");
    }
    assert!(coins.iter().any(|coin| coin.symbol.is_empty()));
}

#[test]
fn the_same_settings_are_the_same_market() {
    let bytes = |seed| {
        let market = FieldMarket::new(FieldSettings {
            seed,
            minutes: 120,
            ..FieldSettings::default()
        });
        let (mut steps, mut step, mut all) = (market.steps(), Step::default(), Vec::new());
        while steps.next_into(&mut step) {
            step.elements().for_each(|e| all.extend_from_slice(e.json));
        }
        all
    };
    let first = bytes(3);
    assert!(first == bytes(3));
    assert!(first != bytes(4));
}
