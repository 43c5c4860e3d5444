//! A market that was: 19 days of seven coins, where they are at hand.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, TimestampMillisecondType};
use arrow_array::{ArrayRef, BooleanArray, Float64Array, RecordBatch};
use fixtures::python;
use fixtures::recording::recording;
use indicatif::ProgressBar;
use market::model::{INPUTS, Inputs};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use trainer::data::{FUTURE_MS_MAX, Part};
use trainer::evaluation::{BestInput, auc_pr_intervals};
use trainer::learn::fit::{ForestParams, LogisticParams, ModelParams};
use trainer::model::Model;
use trainer::{Label, TrainSettings, train_rows};

use crate::market::{FeatureRow, Tick, features, rows};

fn recorded() -> Option<Vec<FeatureRow>> {
    let file = File::open(recording()?).unwrap();
    let batches = ParquetRecordBatchReaderBuilder::try_new(file)
        .unwrap()
        .build()
        .unwrap();
    let batches: Vec<_> = batches.map(|batch| batch.unwrap()).collect();
    let ticks = batches.iter().flat_map(|batch| {
        let column = |name: &str| batch.column_by_name(name).unwrap();
        let coins = column("coin");
        let times = column("event_time").as_primitive::<TimestampMillisecondType>();
        let prices = column("price_usd").as_primitive::<Float64Type>();
        let volumes = column("volume_24h_usd").as_primitive::<Float64Type>();
        (0..batch.num_rows()).map(move |row| Tick {
            coin: match coins.as_string_opt::<i32>() {
                Some(coins) => coins.value(row),
                None => coins.as_string::<i64>().value(row),
            },
            time: times.value(row),
            price: prices.value(row),
            volume: volumes.value(row),
        })
    });
    Some(features(ticks))
}

fn settings() -> TrainSettings {
    TrainSettings::of_lake("the recording")
}

/// An honest 0.53 stays 0.53: for the trend, scikit-learn on the same rows reaches an AUC-ROC of 0.527.
#[test]
fn models_of_a_real_market_are_as_good_as_they_can_be() {
    let Some(features) = recorded() else { return };
    let trained = train_rows(&rows(&features), &settings(), &ProgressBar::hidden()).unwrap();
    let metric = |name: &str| {
        let found = trained
            .run
            .metrics
            .iter()
            .find(|metric| metric.name == name);
        found.unwrap_or_else(|| panic!("no metric {name}")).value
    };
    for label in Label::ALL {
        let values: Vec<_> = [
            "fit_rows",
            "test_rows",
            "base_rate",
            "auc_roc",
            "auc_pr",
            "auc_pr_low",
            "auc_pr_high",
            "gain",
            "gain_low",
            "gain_high",
            "lift_top_1pct",
            "best_input_auc_roc",
            "best_input_auc_pr",
            "lead_low",
            "lead_high",
            "fit_seconds",
        ]
        .iter()
        .map(|name| format!("{name} {:.4}", metric(&format!("{label}/{name}"))))
        .collect();
        let best = &trained.run.params[&format!("{label}/best_input")];
        println!("{label}: {}; best input {best}", values.join(", "));
    }
    let of = |name: &str| metric(&format!("anomaly_ahead/{name}"));
    assert!(of("base_rate") < 0.01, "rare");
    assert!(of("gain") > 4.0, "{}", of("gain"));
    assert!(of("gain_low") > 1.0, "better than nothing");
    assert!(
        of("lead_high") >= 0.0,
        "not significantly below the best input"
    );
    assert!(
        (metric("trend_up/auc_roc") - 0.527).abs() < 0.005,
        "{}",
        metric("trend_up/auc_roc")
    );
}

/// Three fifths of the days, each fitted on all before it: more events than the last fifth has, where most true rows are of one
/// crash of all coins.
#[test]
fn anomalies_are_foreseen_on_more_days_than_the_last() {
    let Some(features) = recorded() else { return };
    let label = Label::AnomalyAhead;
    let part = Part::of_rows(&rows(&features), label);
    let (from, to) = part.range().unwrap();
    let fifth = |n: i64| from + n * (to + 1 - from) / 5;
    let mut tested: Part = Part::default();
    let (mut ours, mut alone) = (Vec::new(), Vec::new());
    for n in 2..5 {
        let fit = part.of_times(|time| time < fifth(n) - FUTURE_MS_MAX);
        let test = part.of_times(|time| (fifth(n)..fifth(n + 1)).contains(&time));
        let model = ModelParams::Forest(ForestParams::default());
        ours.extend(model.fit(label, &fit).unwrap().probabilities(&test.inputs));
        alone.extend(BestInput::of(&fit).scores(&test.inputs));
        tested.times.extend(test.times);
        tested.labels.extend(test.labels);
    }
    let intervals = auc_pr_intervals(&tested, &ours, &alone).unwrap();
    let base_rate = tested.base_rate();
    let ranking = tested.ranking(&ours);
    println!(
        "walk forward: {} rows, base rate {base_rate:.4}, AUC-PR {:.4}, AUC-ROC {:.4}, lift {:.1}, {intervals:?}; input alone {:.4}",
        tested.len(),
        ranking.auc_pr(),
        ranking.auc_roc(),
        ranking.lift(0.01),
        tested.ranking(&alone).auc_pr(),
    );
    assert!(intervals.auc_pr.low > base_rate && intervals.gain.low > 1.0);
    assert!(intervals.lead.high >= 0.0);
}

/// One of eight rows, and every true row of a rare label: as many as a fortnight of 250 coins leaves. Means of five seeds.
#[test]
fn a_model_of_a_sample_ranks_as_well_as_one_of_all_rows() {
    let Some(features) = recorded() else { return };
    let rows = rows(&features);
    for label in Label::ALL {
        let split = Part::of_rows(&rows, label).split(label).unwrap();
        let fitted = |part: &Part, seed: u64| {
            let params = match label {
                Label::AnomalyAhead => ModelParams::Forest(ForestParams {
                    seed,
                    ..ForestParams::default()
                }),
                Label::TrendUp => ModelParams::Logistic(LogisticParams::default()),
            };
            params.fit(label, part).unwrap()
        };
        let (mut whole, mut sampled, mut measured) = ([0.0; 2], [0.0; 2], [0.0; 2]);
        for seed in 1..=5 {
            let fit = split.fit.clone().sample(split.fit.len() / 8, seed);
            let test = split.test.clone().sample(split.test.len() / 2, seed);
            let (of_all, of_sample) = (fitted(&split.fit, seed), fitted(&fit, seed));
            let add = |sum: &mut [f64; 2], model: &Model, part: &Part| {
                let ranking = part.ranking(&model.probabilities(&part.inputs));
                sum[0] += ranking.auc_roc() / 5.0;
                sum[1] += ranking.auc_pr() / 5.0;
            };
            add(&mut whole, &of_all, &split.test);
            add(&mut sampled, &of_sample, &split.test);
            add(&mut measured, &of_sample, &test);
            let rows = [&fit, &test].map(|part| (part.len(), part.weights.to_string()));
            println!("{label}: {rows:?}");
        }
        println!(
            "{label}: AUC-ROC and AUC-PR of all rows {whole:.4?}, of a sample {sampled:.4?}, that measured on a sample {measured:.4?}"
        );
        for (one, other) in [(whole, sampled), (sampled, measured)] {
            assert!((one[0] - other[0]).abs() < 0.005, "{label}: AUC-ROC");
            assert!((one[1] - other[1]).abs() < 0.01, "{label}: AUC-PR");
        }
    }
}

/// The same matrix, labels and split for both, of five seeds each.
#[test]
fn the_forest_ranks_as_well_as_that_of_scikit_learn() {
    let Some(features) = recorded() else { return };
    let label = Label::AnomalyAhead;
    let split = Part::of_rows(&rows(&features), label).split(label).unwrap();
    let models: Vec<_> = (1..=5)
        .map(|seed| {
            let forest = ForestParams {
                seed,
                ..ForestParams::default()
            };
            ModelParams::Forest(forest).fit(label, &split.fit).unwrap()
        })
        .collect();
    let ours = models
        .iter()
        .map(|model| model.probabilities(&split.test.inputs));
    let folder = tempfile::tempdir().unwrap();
    let fill = &models[0].info().fill;
    export(&folder.path().join("fit.parquet"), &split.fit, fill, &[]);
    let ours: Vec<_> = ours.collect();
    export(
        &folder.path().join("test.parquet"),
        &split.test,
        fill,
        &ours,
    );
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/trainer/python/forest.py");
    python::run(&script, "numpy,pyarrow,sklearn", &[folder.path()]);
}

/// A part's inputs, with absent ones filled, its labels, and the scores of models.
fn export(path: &Path, part: &Part, fill: &Inputs, scores: &[Vec<f64>]) {
    let input = |(place, name): (usize, &str)| {
        let values = part.inputs.iter().map(|row| match row[place] {
            value if value.is_nan() => fill[place],
            value => value,
        });
        let values: ArrayRef = Arc::new(Float64Array::from_iter_values(values));
        (name.to_owned(), values)
    };
    let labels: ArrayRef = Arc::new(BooleanArray::from(part.labels.clone()));
    let ours = (1..).zip(scores).map(|(seed, scores)| {
        let scores: ArrayRef = Arc::new(Float64Array::from(scores.clone()));
        (format!("ours_{seed}"), scores)
    });
    let columns = INPUTS.into_iter().enumerate().map(input);
    let columns = columns.chain([("label".to_owned(), labels)]).chain(ours);
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut writer =
        ArrowWriter::try_new(File::create(path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}
