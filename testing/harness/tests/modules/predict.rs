//! crypto-predict with models in its slot.

use std::path::Path;
use std::sync::LazyLock;

use fixtures::python;
use harness::{Answer, Chain, Module, models, wasm_path};
use market::model::{
    Forest, ForestWalk, Inputs, Logistic, ModelPair, Node, PredictParams, Predictor, slot,
};
use market::{Emit, FEATURES_VERSION, Features};

use crate::{MINUTE, NOW, all, raw, start};

/// The models of a usual training, or what looks like them.
static MODELS: LazyLock<ModelPair> = LazyLock::new(|| models::grown(1));

fn built() -> Vec<u8> {
    std::fs::read(wasm_path("crypto-predict")).unwrap()
}

fn filled(models: &ModelPair) -> Module {
    all("crypto-predict").made_of(slot::fill(&built(), models).unwrap())
}

/// Rows of crypto-features: wild prices, and ticks so late that most of their inputs are absent.
fn features(rows: i64) -> Vec<(String, String)> {
    let coins = ["bitcoin", "ethereum", "dogecoin"];
    let records: Vec<_> = (0..rows)
        .map(|n| {
            let wobble = ((n * n) as f64 * 0.37).sin() + ((n / 97) as f64).cos();
            let jump = if n % 401 == 0 { 1.07 } else { 1.0 };
            let late = if n % 53 == 0 { 70 * MINUTE + 1 } else { 0 };
            raw(
                coins[n as usize % 3],
                NOW + n / 3 * MINUTE - late,
                104_321.7 * (1.0 + 1e-3 * wobble) * jump,
            )
        })
        .collect();
    let derive = |name, records: &[(String, String)]| -> Vec<_> {
        let late = if name == "crypto-clean" { "24h" } else { "60m" };
        start(all(name).with("allowed_lateness", late))
            .process(0, NOW + rows * MINUTE, records)
            .into_iter()
            .map(|answer| (answer.key.unwrap_or_default(), answer.text))
            .collect()
    };
    derive("crypto-features", &derive("crypto-clean", &records))
}

fn predicted(answers: &[Answer]) -> usize {
    answers
        .iter()
        .filter(|answer| answer.status() == "prediction")
        .count()
}

#[test]
fn wasm_and_native_agree_on_10_000_rows() {
    let records = features(10_000);
    let mut native = Predictor::new(PredictParams { emit: Emit::All }, MODELS.clone());
    let mut wasm = start(filled(&MODELS));
    let forest = ForestWalk::new(MODELS.anomaly.as_ref().unwrap());
    let mut output = market::Output::new();
    let mut different = std::collections::BTreeSet::new();
    // Uneven batches: what a row meets there must not matter.
    let sizes = [1, 999, 7, 8, 9, 2_000].into_iter().cycle();
    let (mut from, mut predictions) = (0, 0);
    for size in sizes {
        let batch = &records[from..records.len().min(from + size)];
        let answers = wasm.process(from as i64, NOW, batch);
        assert_eq!(answers.len(), batch.len());
        for ((answer, (key, value)), offset) in answers.iter().zip(batch).zip(from as i64..) {
            let input = market::Input {
                offset,
                timestamp_ms: NOW,
                key: Some(key.as_bytes()),
                value: value.as_bytes(),
            };
            assert!(native.process(&input, &mut output));
            assert_eq!(answer.text.as_bytes(), output.value());
            assert_eq!(answer.key.as_deref().map(str::as_bytes), output.key());
            different.insert(answer.value["anomaly_probability"].to_string());

            // And they are the models' own answers to the row's inputs.
            if let Some(row) = Features::read(value.as_bytes()) {
                let clean = &row.clean;
                let inputs = market::model::inputs(clean.price, clean.event_time, &row.windows);
                let anomaly = forest.probabilities(&[inputs])[0];
                let trend = MODELS.trend.as_ref().unwrap().probability(&inputs);
                for (name, expected) in [
                    ("anomaly_probability", anomaly),
                    ("trend_up_probability", trend),
                ] {
                    let said = answer.value[name].as_f64().unwrap();
                    assert_eq!(said.to_bits(), expected.to_bits(), "{value}");
                }
                predictions += 1;
            }
        }
        from += batch.len();
        if from == records.len() {
            break;
        }
    }
    assert_eq!(predictions, 10_000);
    assert!(different.len() > 1_000, "{} different", different.len());
}

#[test]
fn a_prediction_is_as_documented() {
    let (key, value) = features(100).pop().unwrap();
    let answers = start(filled(&MODELS)).process(5, NOW, &[(key, &value)]);
    let text = &answers[0].text;
    let row: serde_json::Value = serde_json::from_str(&value).unwrap();
    assert_eq!(answers[0].key.as_deref(), row["coin"].as_str());
    let expected = format!(
        r#"{{"source_offset":5,"status":"prediction","raw_offset":{},"coin":{},"event_time":{},"price":{},"anomaly_probability":{},"trend_up_probability":{},"anomaly_model":"anomaly_ahead/1","trend_model":"trend_up/1"}}"#,
        row["raw_offset"],
        row["coin"],
        row["event_time"],
        row["price"],
        answers[0].value["anomaly_probability"],
        answers[0].value["trend_up_probability"],
    );
    assert_eq!(*text, expected);
    // For people: predictions only, without `emit`.
    let mut module = Module::new("crypto-predict");
    module = module.made_of(slot::fill(&built(), &MODELS).unwrap());
    let answers = start(module).process(5, NOW, &[("", "{}"), ("", &*value)]);
    assert_eq!(answers.len(), 1);
    assert_eq!(answers[0].value["source_offset"], 6);
}

#[test]
fn before_a_model_is_promoted_there_is_no_prediction() {
    let records = features(500);
    assert_eq!(slot::read(&built()), Ok(ModelPair::default()));
    let answers = start(all("crypto-predict")).process(0, NOW, &records);
    assert_eq!(answers.len(), records.len());
    for (answer, offset) in answers.iter().zip(0..) {
        assert_eq!(
            answer.text,
            format!(r#"{{"source_offset":{offset},"status":"none"}}"#)
        );
    }
    let one = ModelPair {
        trend: None,
        ..MODELS.clone()
    };
    let answers = start(filled(&one)).process(0, NOW, &records);
    let last = &answers.last().unwrap().value;
    assert_eq!(last["anomaly_model"], "anomaly_ahead/1");
    assert!(last["anomaly_probability"].is_number());
    assert!(last["trend_model"].is_null() && last["trend_up_probability"].is_null());
}

/// Models trained on features of another version, and records of another version.
#[test]
fn between_versions_of_the_features_there_is_no_prediction() {
    let records = features(100);
    let mut outdated = MODELS.clone();
    outdated.anomaly.as_mut().unwrap().info.features_version = FEATURES_VERSION - 1;
    let answers = start(filled(&outdated)).process(0, NOW, &records);
    assert_eq!(answers.len(), records.len());
    for (answer, offset) in answers.iter().zip(0..) {
        assert_eq!(
            answer.text,
            format!(r#"{{"source_offset":{offset},"status":"none"}}"#)
        );
    }
    let version = |version: &str| -> Vec<(String, String)> {
        let now = format!("\"features_version\":{FEATURES_VERSION},");
        let changed = records.iter().map(|(key, value)| {
            assert!(value.contains(&now), "{value}");
            (key.clone(), value.replace(&now, version))
        });
        changed.collect()
    };
    for other in [
        "",
        "\"features_version\":null,",
        "\"features_version\":1,",
        "\"features_version\":3,",
    ] {
        let answers = start(filled(&MODELS)).process(0, NOW, &version(other));
        assert_eq!((answers.len(), predicted(&answers)), (100, 0), "{other}");
    }
}

#[test]
fn bad_records_get_no_prediction_and_end_nothing() {
    let (key, good) = features(100).pop().unwrap();
    let deep = format!("{{\"coin\":{}", "[".repeat(60_000));
    let bad = [
        String::new(),
        "null".to_owned(),
        "\u{0}\u{feff}".to_owned(),
        deep,
        good.replace("\"price\":", "\"price\":-"),
        good.replace("\"event_time\":1", "\"event_time\":9223372036854775807"),
        good.replace("\"coin\":\"", "\"coin\":\"\\ud800"),
        good.replace("\"zscore_15m\":", "\"zscore_15m\":1e999,\"x\":"),
        good.replace("\"samples_15m\":", "\"samples_15m\":-1,\"x\":"),
        good.replace("\"features\"", "\"none\""),
        good[..good.len() - 1].to_owned(),
    ];
    let mut chain = start(filled(&MODELS));
    let mut records: Vec<_> = bad.iter().map(|bad| (key.as_str(), bad.as_str())).collect();
    records.push((&key, &good));
    let answers = chain.process(0, NOW, &records);
    assert_eq!(answers.len(), records.len());
    for answer in &answers[..bad.len()] {
        assert_eq!(answer.status(), "none", "{}", answer.text);
    }
    assert_eq!(answers[bad.len()].status(), "prediction");
    assert_eq!(chain.process::<&str, &str>(12, NOW, &[]), []);
    // Bytes that are not UTF-8.
    let bytes = [good.as_bytes(), &[0xff]].concat();
    let answers = chain.process(12, NOW, &[(key.as_bytes(), &bytes)]);
    assert_eq!(answers[0].status(), "none");
}

#[test]
fn the_same_batch_again_gets_the_same_predictions() {
    let records = features(60);
    let mut chain = start(filled(&MODELS));
    for (from, batch) in (0..).step_by(20).zip(records.chunks(20)) {
        let first = chain.process(from, NOW, batch);
        assert_eq!(predicted(&first), 20);
        for _ in 0..2 {
            assert_eq!(chain.process(from, NOW, batch), first);
        }
    }
    // As another batch they are doubles of a process that died.
    assert_eq!(predicted(&chain.process(60, NOW, &records)), 0);
}

#[test]
fn the_module_has_room_for_a_usual_pair_and_stays_small() {
    let wasm = built();
    let filled = slot::fill(&wasm, &MODELS).unwrap();
    let forest = MODELS.anomaly.as_ref().unwrap();
    let nodes: usize = forest.trees().iter().map(Vec::len).sum();
    println!(
        "crypto-predict: {} bytes; {} trees of {} nodes, a pair of {} bytes",
        filled.len(),
        forest.trees().len(),
        nodes / forest.trees().len(),
        MODELS.to_bytes().len()
    );
    assert!(nodes >= 280_000, "{nodes} nodes are less than usual");
    assert!(filled.len() < 1_000_000, "{} bytes", filled.len());
    assert_eq!(filled.len(), wasm.len());
    assert_eq!(slot::read(&filled).as_ref(), Ok(&*MODELS));
}

#[test]
fn what_cannot_be_served_is_refused_with_a_sentence() {
    let leaf = Node::Leaf { q: 7 };
    let forest = MODELS.anomaly.as_ref().unwrap();
    let large = [
        [Node::Split { feature: 0, bin: 0 }, leaf].repeat(10_000),
        vec![leaf],
    ]
    .concat();
    let large = Forest::new(forest.info.clone(), forest.edges().clone(), vec![large; 40]);
    let pair = ModelPair {
        anomaly: Some(large.unwrap()),
        trend: None,
    };
    let error = slot::fill(&built(), &pair).unwrap_err().to_string();
    assert!(error.starts_with("the models take 15"), "{error}");
    assert!(
        error.contains("the slot in crypto-predict has 655360: train them again"),
        "{error}"
    );

    let other = std::fs::read(wasm_path("crypto-anomaly")).unwrap();
    let error = slot::fill(&other, &MODELS).unwrap_err().to_string();
    assert!(
        error.starts_with("this wasm has no slot for models"),
        "{error}"
    );

    // Damaged in the cluster, by whoever: the stream does not start, and says why.
    let mut damaged = slot::fill(&built(), &MODELS).unwrap();
    let run = damaged.windows(6).position(|bytes| bytes == b"seed-1");
    damaged[run.unwrap()] = b'S';
    let Err(error) = Chain::start(&[all("crypto-predict").made_of(damaged)]) else {
        panic!("it starts with a damaged model");
    };
    assert!(
        error.contains(
            "the models in crypto-predict cannot be used: the model is damaged (its checksum does not match)"
        ),
        "{error}"
    );
}

/// The coefficients that scikit-learn finds, and what it predicts with them.
#[derive(serde::Deserialize)]
struct Fitted {
    mean: Inputs,
    scale: Inputs,
    weights: Inputs,
    intercept: f64,
    probabilities: Vec<f64>,
}

#[test]
fn the_logistic_regression_is_scikit_learns() {
    let records = features(2_000);
    let rows: Vec<Inputs> = records
        .iter()
        .filter_map(|(_, value)| Features::read(value.as_bytes()))
        .map(|row| market::model::inputs(row.clean.price, row.clean.event_time, &row.windows))
        .filter(|inputs| inputs.iter().all(|input| input.is_finite()))
        .collect();
    assert!(rows.len() > 1_000);
    let labels: Vec<u8> = rows
        .iter()
        .map(|row| u8::from(row[0] + row[7] > 0.1))
        .collect();
    let dir = tempfile::tempdir().unwrap();
    let (given, said) = (dir.path().join("given.json"), dir.path().join("said.json"));
    let data = serde_json::json!({"rows": rows, "labels": labels});
    std::fs::write(&given, data.to_string()).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/logistic.py");
    if python::run(&script, "numpy, sklearn", &[&given, &said]).is_none() {
        return;
    }
    let fitted: Fitted = serde_json::from_slice(&std::fs::read(said).unwrap()).unwrap();
    let info = MODELS.trend.as_ref().unwrap().info.clone();
    let model = Logistic::new(
        info,
        fitted.mean,
        fitted.scale,
        fitted.weights,
        fitted.intercept,
    );
    let model = model.unwrap();
    let apart = rows
        .iter()
        .zip(&fitted.probabilities)
        .map(|(row, theirs)| (model.probability(row) - theirs).abs())
        .fold(0.0, f64::max);
    println!("{} rows, at most {apart:e} apart", rows.len());
    assert!(apart < 1e-9);
}
