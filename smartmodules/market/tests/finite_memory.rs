//! A module started fresh at the first input that lifted the watermark to or above W - H, or anywhere earlier, gives
//! from W on the same answers, byte for byte, as one that saw everything.

use market::{CleanParams, Cleaner, FeatureParams, Featurizer, Input, Output, Params};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

const MINUTE: i64 = 60_000;
const START: i64 = 1_700_000_000_000;

/// A record of the input topic.
#[derive(Debug, Clone)]
struct Record {
    timestamp_ms: i64,
    value: Vec<u8>,
}

/// Key, payload and, after it, the watermark.
type Answer = (Option<Vec<u8>>, Vec<u8>, Option<i64>);

fn run(
    records: &[Record],
    first_offset: usize,
    mut process: impl FnMut(&Input<'_>, &mut Output) -> Option<i64>,
) -> Vec<Answer> {
    let mut output = Output::new();
    records
        .iter()
        .zip(first_offset as i64..)
        .map(|(record, offset)| {
            let input = Input {
                offset,
                timestamp_ms: record.timestamp_ms,
                key: Some(b"key"),
                value: &record.value,
            };
            let watermark = process(&input, &mut output);
            (
                output.key().map(<[u8]>::to_vec),
                output.value().to_vec(),
                watermark,
            )
        })
        .collect()
}

fn clean(records: &[Record], first_offset: usize, lateness: &str) -> Vec<Answer> {
    let params = Params::new([("emit", "all"), ("allowed_lateness", lateness)]);
    let mut cleaner = Cleaner::new(CleanParams::parse(params).expect("these are sound"));
    run(records, first_offset, |input, output| {
        assert!(cleaner.process(input, output), "one output for every input");
        cleaner.watermark()
    })
}

fn featurize(records: &[Record], first_offset: usize, lateness: &str) -> Vec<Answer> {
    let params = Params::new([("emit", "all"), ("allowed_lateness", lateness)]);
    let mut featurizer = Featurizer::new(FeatureParams::parse(params).expect("these are sound"));
    run(records, first_offset, |input, output| {
        assert!(
            featurizer.process(input, output),
            "one output for every input"
        );
        featurizer.watermark()
    })
}

/// For every place Q, the resume place and a few earlier ones, compares what comes after Q.
fn check(
    records: &[Record],
    horizon_ms: i64,
    places: &[prop::sample::Index],
    answers: impl Fn(&[Record], usize) -> Vec<Answer>,
) -> Result<(), TestCaseError> {
    let full = answers(records, 0);
    for place in places {
        let q = place.index(records.len());
        let Some(watermark) = full[q].2 else { continue };
        let resume = full
            .iter()
            .position(|(_, _, at)| at.is_some_and(|at| at >= watermark - horizon_ms));
        let resume = resume.expect("Q itself has this watermark");
        for start in [resume, resume / 2, place.index(resume + 1)] {
            let fresh = answers(&records[start..], start);
            for at in q + 1..records.len() {
                prop_assert_eq!(
                    String::from_utf8_lossy(&fresh[at - start].1),
                    String::from_utf8_lossy(&full[at].1),
                    "at {}, started at {} for a cut after {}",
                    at,
                    start,
                    q
                );
                prop_assert_eq!(&fresh[at - start].0, &full[at].0);
            }
        }
    }
    Ok(())
}

#[derive(Debug, Clone)]
struct Step {
    coin: u8,
    time: i64,
    price: f64,
    volume: Option<f64>,
    what: What,
}

#[derive(Debug, Clone)]
enum What {
    Tick,
    /// The same record as so many records ago.
    Double(usize),
    Garbage,
    /// Far ahead of the clock.
    Future,
}

/// Minute marks that whole markets share, a little beside them, going back, and sometimes far ahead.
fn steps() -> impl Strategy<Value = Vec<Step>> {
    // Gaps of up to 16 minutes, so that the oldest tick that counts is far back: a log_return near the start of a
    // window reaches 15 minutes further. And small gaps, so that there are enough log_returns and volumes.
    prop_oneof![steps_apart(4, 17), steps_apart(1, 4)]
}

/// Most of them so many minutes apart.
fn steps_apart(from: i64, to: i64) -> impl Strategy<Value = Vec<Step>> {
    let advance = prop_oneof![
        8 => Just(0_i64),
        4 => Just(MINUTE),
        8 => (from..to).prop_map(|minutes| minutes * MINUTE),
        2 => 1..5_000_i64,
        1 => (1..40_i64).prop_map(|minutes| minutes * MINUTE),
        1 => (1..200_i64).prop_map(|minutes| minutes * MINUTE),
    ];
    let back = prop_oneof![
        8 => Just(0_i64),
        3 => (0..70_i64).prop_map(|minutes| minutes * MINUTE),
        1 => 0..120 * MINUTE,
        1 => (0..3_i64).prop_map(|ms| 20 * MINUTE + ms - 1),
        1 => (0..3_i64).prop_map(|ms| 50 * MINUTE + ms - 1),
    ];
    let what = prop_oneof![
        12 => Just(What::Tick),
        3 => (1..30_usize).prop_map(What::Double),
        1 => Just(What::Garbage),
        1 => Just(What::Future),
    ];
    let step = (
        prop_oneof![2 => Just(0_u8), 1 => 1..3_u8],
        advance,
        back,
        90.0..110.0_f64,
        prop::option::weighted(0.9, 0.0..1e9_f64),
        what,
    );
    prop::collection::vec(step, 1..150).prop_map(|steps| {
        let mut now = START;
        steps
            .into_iter()
            .map(|(coin, advance, back, price, volume, what)| {
                now += advance;
                Step {
                    coin,
                    time: now - back,
                    price,
                    volume,
                    what,
                }
            })
            .collect()
    })
}

fn rfc3339(time: i64) -> String {
    jiff::Timestamp::from_millisecond(time)
        .expect("a time within years")
        .to_string()
}

fn raw_records(steps: &[Step]) -> Vec<Record> {
    let mut records: Vec<Record> = Vec::new();
    let mut clock = START;
    for step in steps {
        clock = clock.max(step.time);
        let tick = |time: i64| {
            let volume = step
                .volume
                .map_or("null".to_owned(), |volume| volume.to_string());
            format!(
                r#"{{"id":"coin{}","symbol":"c","current_price":{},"total_volume":{volume},"last_updated":"{}"}}"#,
                step.coin,
                step.price,
                rfc3339(time),
            )
        };
        let value = match step.what {
            What::Tick => tick(step.time).into_bytes(),
            What::Double(back) => match records.len().checked_sub(back) {
                Some(at) => records[at].value.clone(),
                None => tick(step.time).into_bytes(),
            },
            What::Garbage => b"{\"id\":".to_vec(),
            What::Future => tick(clock + 6 * MINUTE).into_bytes(),
        };
        records.push(Record {
            timestamp_ms: clock,
            value,
        });
    }
    records
}

fn clean_records(steps: &[Step]) -> Vec<Record> {
    let mut records: Vec<Record> = Vec::new();
    for (offset, step) in steps.iter().enumerate() {
        let tick = |time: i64| {
            let volume = step
                .volume
                .map_or("null".to_owned(), |volume| volume.to_string());
            format!(
                r#"{{"source_offset":{offset},"status":"accepted","raw_offset":{offset},"coin":"coin{}","symbol":"s{}","event_time":{time},"fetched_at":{},"price":{},"market_cap":null,"volume_24h":{volume},"change_24h_pct":1.5}}"#,
                step.coin,
                offset % 3,
                offset * 7,
                step.price,
            )
        };
        let value = match step.what {
            // A double of a dead process, with the source_offset it had.
            What::Double(back) if offset >= back => records[offset - back].value.clone(),
            What::Garbage => b"{\"status\":\"rejected\"}".to_vec(),
            // The features have no clock: a leap ahead is believed, and everything before is late.
            What::Future => tick(step.time + 100 * MINUTE).into_bytes(),
            _ => tick(step.time).into_bytes(),
        };
        records.push(Record {
            timestamp_ms: START,
            value,
        });
    }
    records
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2_000,
        rng_seed: RngSeed::Fixed(6),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn of_cleaning(
        steps in steps(),
        places in prop::collection::vec(any::<prop::sample::Index>(), 6),
        (lateness, lateness_ms) in prop::sample::select(vec![
            ("20m", 20 * MINUTE), ("60m", 60 * MINUTE), ("0s", 0),
        ]),
    ) {
        let records = raw_records(&steps);
        check(&records, lateness_ms, &places, |records, offset| clean(records, offset, lateness))?;
    }

    #[test]
    fn of_features(
        steps in steps(),
        places in prop::collection::vec(any::<prop::sample::Index>(), 6),
        (lateness, lateness_ms) in prop::sample::select(vec![
            ("20m", 20 * MINUTE), ("60m", 60 * MINUTE), ("0s", 0),
        ]),
    ) {
        let records = clean_records(&steps);
        let horizon_ms = lateness_ms + 90 * MINUTE;
        check(&records, horizon_ms, &places, |records, offset| featurize(records, offset, lateness))?;
    }
}

/// So dense that windows are summed up by blocks: those must not show either.
#[test]
fn of_features_with_thousands_of_ticks_in_a_window() {
    let records: Vec<_> = (0..30_000_i64)
        .map(|offset| {
            let back = if offset % 13 == 0 { 7_777 } else { 0 };
            let time = START + offset * 270 - back;
            let price = 100.0 + (offset as f64 * 0.7).sin();
            Record {
                timestamp_ms: START,
                value: format!(
                    r#"{{"source_offset":{offset},"coin":"c","symbol":"s","event_time":{time},"price":{price},"volume_24h":1e9}}"#
                )
                .into_bytes(),
            }
        })
        .collect();
    let lateness = "1m";
    let full = featurize(&records, 0, lateness);
    for q in [24_000, 27_345, 29_990] {
        let oldest = full[q].2.unwrap() - 91 * MINUTE;
        let resume = full
            .iter()
            .position(|(_, _, at)| at.unwrap() >= oldest)
            .unwrap();
        assert!(resume > 0);
        let fresh = featurize(&records[resume..], resume, lateness);
        for at in q + 1..records.len() {
            assert_eq!(
                String::from_utf8_lossy(&fresh[at - resume].1),
                String::from_utf8_lossy(&full[at].1),
                "at {at}, resumed at {resume} for a cut after {q}"
            );
        }
    }
}
