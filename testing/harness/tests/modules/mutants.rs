//! Payloads with something wrong anywhere in them: no module traps, and each answers every record once, with JSON.

use harness::models::grown;
use harness::{Answer, Chain, Module, wasm_path};
use market::model::slot;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use replay::{Market, Step, SyntheticMarket};

use crate::all;

const BATCH: usize = 500;
/// After every tick of the market, so that none comes from the future.
const FETCHED_MS: i64 = 1_705_000_000_000;
/// What numbers and texts are replaced by.
const ODD: [&str; 20] = [
    "null",
    "true",
    "0",
    "-0",
    "1e999",
    "-1e-999",
    "9223372036854775808",
    "1e",
    "-",
    ".5",
    "0x1",
    "NaN",
    "\"\"",
    "\"\\u0000\"",
    "\"\\ud800\"",
    "{}",
    "[]",
    "[[[[[[[[[[[[[[[[[[[[",
    "{\"a\":{\"a\":{\"a\":",
    "\\",
];

type Payload = (String, Vec<u8>);

#[test]
fn mutated_payloads_trap_no_module() {
    let wanted = faults::times(200_000, 10_000_000);
    let mut random = ChaCha8Rng::seed_from_u64(faults::seed());
    let raw = synthetic();
    let features = answers(Module::new("crypto-clean"), &raw);
    let rows = answers(Module::new("crypto-features"), &features);
    assert!(rows.len() > 40_000, "the market is nearly all good");
    let wasm = std::fs::read(wasm_path("crypto-predict")).unwrap();
    let wasm = slot::fill(&wasm, &grown(1)).unwrap();
    let mut seen = 0;
    let mut silent = 0;
    while seen < wanted {
        for (module, payloads) in [
            (all("crypto-clean"), &raw),
            (all("crypto-features"), &features),
            (all("crypto-anomaly"), &rows),
            (all("crypto-predict").made_of(wasm.clone()), &rows),
        ] {
            // From the start of the market again: what a module remembers is bounded by its time.
            let mut chain = Chain::start(&[module]).unwrap();
            for (at, batch) in payloads.chunks(BATCH).enumerate() {
                let mutants: Vec<Payload> = batch
                    .iter()
                    .map(|(key, value)| {
                        let other = &payloads[random.random_range(0..payloads.len())].1;
                        (key.clone(), mutate(value, other, &mut random))
                    })
                    .collect();
                let base = (at * BATCH) as i64;
                let answers = chain.process(base, FETCHED_MS, &mutants);
                assert_eq!(answers.len(), mutants.len());
                for (place, answer) in (0..).zip(&answers) {
                    assert_eq!(answer.value["source_offset"], base + place);
                    assert_eq!(answer.offset_delta, place);
                }
                silent += answers
                    .iter()
                    .filter(|answer| answer.status() == "none")
                    .count();
                seen += mutants.len() as u64;
            }
        }
    }
    println!("{seen} mutated payloads, {silent} of them answered with nothing to say: no trap");
}

/// Every payload of the synthetic market, bad ones included.
fn synthetic() -> Vec<Payload> {
    let market = Market::Synthetic(SyntheticMarket::default());
    let (mut steps, mut step) = (market.steps().unwrap(), Step::default());
    let mut payloads = Vec::new();
    while steps.next_into(&mut step).unwrap() {
        payloads.extend(step.elements().map(|element| {
            let key = element.key.map(ToString::to_string).unwrap_or_default();
            (key, element.json.to_vec())
        }));
    }
    payloads
}

/// What a module makes of good payloads: the payloads of the next one.
fn answers(module: Module, payloads: &[Payload]) -> Vec<Payload> {
    let mut chain = Chain::start(&[module]).unwrap();
    let mut made = Vec::new();
    for (at, batch) in payloads.chunks(BATCH).enumerate() {
        let answers = chain.process((at * BATCH) as i64, FETCHED_MS, batch);
        let payload = |answer: Answer| (answer.key.unwrap_or_default(), answer.text.into_bytes());
        made.extend(answers.into_iter().map(payload));
    }
    made
}

/// A payload with one to four things wrong in it.
fn mutate(payload: &[u8], other: &[u8], random: &mut ChaCha8Rng) -> Vec<u8> {
    let mut bytes = payload.to_vec();
    for _ in 0..random.random_range(1..=4) {
        let at = random.random_range(0..=bytes.len());
        let end = random.random_range(at..=bytes.len().min(at + 40));
        match random.random_range(0..9) {
            0 => bytes
                .iter_mut()
                .skip(at)
                .take(1)
                .for_each(|byte| *byte ^= 1 << (at % 8)),
            1 => bytes
                .iter_mut()
                .skip(at)
                .take(1)
                .for_each(|byte| *byte = random.random()),
            2 => bytes.truncate(at),
            3 => drop(bytes.drain(at..end)),
            4 => {
                let again = bytes[at..end].to_vec();
                bytes.splice(at..at, again);
            }
            5 => {
                let from = random.random_range(0..=other.len());
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
            6 => {
                let noise: Vec<u8> = (at..end).map(|_| random.random()).collect();
                bytes.splice(at..end, noise);
            }
            7 => {
                // A digit or quote, with all that belongs to it.
                let starts = |byte: &u8| byte.is_ascii_digit() || *byte == b'"';
                let Some(start) = bytes[at..].iter().position(starts) else {
                    continue;
                };
                let start = at + start;
                let ends = |byte: &u8| matches!(byte, b',' | b'}' | b':');
                let length = bytes[start..].iter().position(ends);
                let end = length.map_or(bytes.len(), |length| start + length);
                let odd = ODD[random.random_range(0..ODD.len())];
                bytes.splice(start..end, odd.bytes());
            }
            _ => {
                // As long as a record may be, and longer than a payload may be.
                let long = vec![b"0[ \"\\"[at % 5]; 70_000];
                if random.random_range(0..200) == 0 {
                    bytes.splice(at..at, long);
                }
            }
        }
    }
    bytes
}
