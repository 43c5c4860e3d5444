//! A training: the same in, the same out; what was announced is foretold; and the run holds what it should.

use std::collections::BTreeSet;
use std::num::NonZero;
use std::slice;

use indicatif::ProgressBar;
use market::model::slot::MODEL_BYTES_MAX;
use market::model::{Forest, HOUR_OF_DAY, INPUTS, Logistic};
use trainer::data::{FUTURE_MS_MAX, Label, Part, Rows};
use trainer::drift::{REFERENCE_PATH, Reference};
use trainer::evaluation::Ranking;
use trainer::learn::fit::ForestParams;
use trainer::model::Model;
use trainer::{NEWEST_DAY_METRIC, Run, TrainError, TrainSettings, Trained, train, train_rows};

use crate::market::{
    BEGIN_MS, FeatureRow, HOUR_MS, Tick, announced_jumps, features, quiet, rows, write,
};

fn train_on(features: &[FeatureRow], forest: ForestParams) -> Result<Trained, TrainError> {
    train_with(features, forest, None)
}

fn train_with(
    features: &[FeatureRow],
    forest: ForestParams,
    threads: Option<NonZero<usize>>,
) -> Result<Trained, TrainError> {
    let settings = TrainSettings {
        forest,
        threads,
        ..TrainSettings::of_lake("a test's")
    };
    train_rows(&rows(features), &settings, &ProgressBar::hidden())
}

fn artifact<'a>(run: &'a Run, path: &str) -> &'a [u8] {
    let found = run.artifacts.iter().find(|artifact| artifact.path == path);
    &found.unwrap_or_else(|| panic!("no artifact {path}")).bytes
}

fn metric(run: &Run, name: &str) -> f64 {
    let found = run.metrics.iter().find(|metric| metric.name == name);
    found.unwrap_or_else(|| panic!("no metric {name}")).value
}

#[tokio::test]
async fn what_was_announced_is_foretold_and_the_run_says_it_all() {
    let lake = tempfile::tempdir().unwrap();
    write(lake.path(), 0, &announced_jumps(4, 2), &[]);
    let settings = TrainSettings::of_lake(lake.path().to_str().unwrap());
    let trained = train(&settings, &ProgressBar::hidden()).await.unwrap();
    let run = &trained.run;
    assert_eq!(trained.left_out, [] as [&str; 0]);

    assert!(
        metric(run, "anomaly_ahead/auc_roc") > 0.75,
        "{:?}",
        run.metrics
    );
    assert!(metric(run, "anomaly_ahead/auc_roc") > metric(run, "anomaly_ahead/best_input_auc_roc"));
    assert!(metric(run, "anomaly_ahead/brier") < metric(run, "anomaly_ahead/base_rate_brier"));
    let auc_pr = metric(run, "anomaly_ahead/auc_pr");
    assert!(auc_pr > 2.0 * metric(run, "anomaly_ahead/base_rate"));
    assert!(
        metric(run, "anomaly_ahead/auc_pr_low") < auc_pr
            && auc_pr < metric(run, "anomaly_ahead/auc_pr_high")
    );
    assert!(metric(run, "anomaly_ahead/lift_top_1pct") > 2.0);
    assert_eq!(run.params["features_version"], "2");
    assert!(metric(run, "anomaly_ahead/recall") > 0.5);
    assert!(metric(run, "trend_up/auc_roc") > 0.52);
    assert!(run.metrics.iter().all(|metric| metric.value.is_finite()));
    let steps: BTreeSet<_> = run
        .metrics
        .iter()
        .map(|metric| (&metric.name, metric.step))
        .collect();
    assert_eq!(
        steps.len(),
        run.metrics.len(),
        "one value for each name and step"
    );

    let file = |name: &str| {
        &run.models
            .iter()
            .find(|model| model.name == name)
            .unwrap()
            .bytes
    };
    let forest = Forest::from_bytes(file("anomaly_ahead")).unwrap();
    let logistic = Logistic::from_bytes(file("trend_up")).unwrap();
    assert_eq!(forest.trees().len(), 100);
    assert_eq!(
        (forest.info.name.as_str(), forest.info.version),
        ("anomaly_ahead", 0)
    );
    assert_eq!(logistic.info.name, "trend_up");
    assert!(forest.info.trained_from_ms < forest.info.trained_to_ms);
    assert_eq!(
        forest.info.rows as f64,
        metric(run, "anomaly_ahead/fit_rows")
    );
    for label in Label::ALL {
        let day = trained.newest_day.part(label).unwrap();
        let model = Model::from_bytes(label, file(label.as_str())).unwrap();
        let (from, _) = day.range().unwrap();
        assert!(
            from > model.info().trained_to_ms,
            "none of them was fitted on"
        );
        let score = Ranking::of(&model.probabilities(&day.inputs), &day.labels).auc_roc();
        assert_eq!(score, metric(run, &format!("{label}/{NEWEST_DAY_METRIC}")));
    }

    for label in ["anomaly_ahead", "trend_up"] {
        for picture in [
            "roc",
            "precision_recall",
            "calibration",
            "confusion",
            "importance",
        ] {
            let svg = artifact(run, &format!("pictures/{label}/{picture}.svg"));
            let svg = std::str::from_utf8(svg).unwrap();
            assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
            assert!(
                svg.len() < 100_000,
                "{label}/{picture}: {} bytes",
                svg.len()
            );
        }
    }
    let card = std::str::from_utf8(artifact(run, "model_card.md")).unwrap();
    assert!(
        card.contains("## anomaly_ahead") && card.contains("## trend_up"),
        "{card}"
    );
    for said in [
        "AUC-PR",
        "lift in the top 1 %",
        "base rate",
        "alone, the best",
        "block bootstrap",
        "features are of version 2",
    ] {
        assert!(card.contains(said), "{said}: {card}");
    }
    let reference = Reference::from_json(artifact(run, REFERENCE_PATH)).unwrap();
    assert_eq!(reference.inputs.len(), INPUTS.len() - 1);
    assert!(!reference.inputs.contains_key(HOUR_OF_DAY));
    assert_eq!(reference.scores.len(), 2);
    assert_eq!(run.tags["rows"], (4 * 2 * 1440).to_string());
    assert_eq!(run.tags["coins"], "bitcoin,solana");
}

#[test]
fn the_same_rows_and_seed_make_the_same_model_at_any_number_of_threads() {
    let market = announced_jumps(2, 3);
    let forest = |threads, seed| {
        let params = ForestParams {
            trees: 24,
            seed,
            ..ForestParams::default()
        };
        let trained = train_with(&market, params, NonZero::new(threads));
        trained.unwrap().run
    };
    let one = forest(1, 7);
    for threads in [1, 2, 4] {
        let other = forest(threads, 7);
        for (one, other) in one.models.iter().zip(&other.models) {
            assert!(
                one.bytes == other.bytes,
                "{} differs at {threads} threads",
                one.name
            );
        }
        assert_eq!(one.artifacts.len(), other.artifacts.len());
    }
    assert!(
        one.models[0].bytes != forest(2, 8).models[0].bytes,
        "another seed, the same forest"
    );
}

#[test]
fn what_cannot_be_told_apart_is_left_out_and_the_rest_is_trained() {
    let trained = train_on(&quiet(3000), ForestParams::default()).unwrap();
    assert_eq!(trained.run.models.len(), 1);
    assert_eq!(trained.run.models[0].name, "trend_up");
    assert!(
        trained.left_out[0].contains("no episode of warnings begins in the"),
        "{:?}",
        trained.left_out
    );
    let card = std::str::from_utf8(artifact(&trained.run, "model_card.md")).unwrap();
    assert!(card.contains("Not trained"), "{card}");
}

/// More trees, another depth, larger leaves: each setting does what it says.
#[test]
fn settings_show_in_the_forest() {
    let market = announced_jumps(2, 4);
    let params = ForestParams {
        trees: 7,
        depth_max: 3,
        leaf_rows_min: 100,
        ..ForestParams::default()
    };
    let run = train_on(&market, params).unwrap().run;
    let forest = Forest::from_bytes(&run.models[0].bytes).unwrap();
    assert_eq!(forest.trees().len(), 7);
    assert!(forest.trees().iter().all(|tree| tree.len() < 16));
    assert_eq!(run.params["anomaly_ahead/depth_max"], "3");

    let part = Part::of_rows(&rows(&market), Label::AnomalyAhead);
    let scores = forest.probabilities(&part.inputs);
    assert!(Ranking::of(&scores, &part.labels).auc_roc() > 0.6);
}

/// Whatever the market and the settings: what is trained can be promoted.
#[test]
fn a_forest_that_would_not_fit_into_the_slot_gets_larger_leaves() {
    let params = ForestParams {
        trees: 2_000,
        depth_max: 15,
        leaf_rows_min: 1,
        ..ForestParams::default()
    };
    let run = train_on(&announced_jumps(2, 4), params).unwrap().run;
    let file = &run.models[0].bytes;
    assert!(file.len() <= MODEL_BYTES_MAX, "{} bytes", file.len());
    assert_eq!(Forest::from_bytes(file).unwrap().trees().len(), 2_000);
    let leaf_rows_min: u32 = run.params["anomaly_ahead/leaf_rows_min"].parse().unwrap();
    assert!(leaf_rows_min > 1, "{leaf_rows_min}");
}

/// Another future: the rows to fit on, with inputs and labels, are the same to the bit. What is tested on has no say in a model.
#[test]
fn rows_to_fit_on_know_nothing_of_what_comes_later() {
    let (one, other) = (announced_jumps(3, 5), announced_jumps(3, 6));
    let cut = BEGIN_MS + 2 * 24 * HOUR_MS;
    // The ticks of one market until the cut, of another one from then on.
    let ticks = |later: &[FeatureRow]| -> Rows {
        let ticks = one.iter().zip(later);
        let ticks = ticks.map(|(one, later)| if one.event_time < cut { one } else { later });
        rows(&features(ticks.map(|row| Tick {
            coin: &row.coin,
            time: row.event_time,
            price: row.price,
            volume: row.volume,
        })))
    };
    let (same, changed) = (ticks(&one), ticks(&other));
    for label in Label::ALL {
        let until = |rows: &Rows, end: i64| {
            let part = Part::of_rows(rows, label).of_times(|time| time < end);
            // NaN is not equal to itself.
            format!("{part:?}")
        };
        let purged = cut - FUTURE_MS_MAX;
        assert!(until(&same, purged) == until(&changed, purged), "{label}");
        // Without the gap before the rows to test on they would differ.
        assert!(until(&same, cut) != until(&changed, cut), "{label}");
        let split = Part::of_rows(&same, label).split(label).unwrap();
        let ((_, fitted), (tested, _)) = (split.fit.range().unwrap(), split.test.range().unwrap());
        assert!(fitted + FUTURE_MS_MAX < tested, "{label}");
    }
}

/// Inputs are read only of the rows that a sample has, and they are those of the rows.
#[tokio::test]
async fn a_lake_is_learned_from_like_its_rows_whether_all_are_used_or_a_sample() {
    let lake = tempfile::tempdir().unwrap();
    let mut all = announced_jumps(3, 7);
    let later = all.split_off(2 * 1440);
    // A late tick, in the file of another day, and one that comes twice.
    let late = all.remove(700);
    write(lake.path(), 0, &all, &[]);
    let (second, third) = later.split_at(2 * 1440);
    let second = [slice::from_ref(&late), second, slice::from_ref(&all[5])].concat();
    write(lake.path(), 10_000, &second, &[]);
    write(lake.path(), 20_000, third, &[]);
    let whole = [all, vec![late], later].concat();
    let mut base_rates = Vec::new();
    for (fit_rows_max, test_rows_max) in [(500_000, 250_000), (1_500, 800)] {
        let settings = TrainSettings {
            fit_rows_max,
            test_rows_max,
            ..TrainSettings::of_lake(lake.path().to_str().unwrap())
        };
        let progress = ProgressBar::hidden();
        let read = train(&settings, &progress).await.unwrap();
        let given = train_rows(&rows(&whole), &settings, &progress).unwrap();
        for (read, given) in read.run.models.iter().zip(&given.run.models) {
            assert!(read.bytes == given.bytes, "{}", read.name);
        }
        let reference = |run: &Run| artifact(run, REFERENCE_PATH).to_vec();
        assert!(reference(&read.run) == reference(&given.run));
        let card = std::str::from_utf8(artifact(&read.run, "model_card.md")).unwrap();
        let sampled = fit_rows_max < 10_000;
        assert_eq!(
            card.contains("fitted on a sample, every true row, one of"),
            sampled,
            "{card}"
        );
        let stated = &read.run.params["anomaly_ahead/fit_sample"];
        assert_eq!(stated != "all rows", sampled, "{stated}");
        let rows = metric(&read.run, "anomaly_ahead/fit_rows");
        assert_eq!(rows <= 1_502.0, sampled, "{rows}");
        // Of the market, whatever the sample.
        base_rates.push(metric(&read.run, "anomaly_ahead/base_rate"));
    }
    assert!(
        (base_rates[0] - base_rates[1]).abs() < 1e-3,
        "{base_rates:?}"
    );
}
