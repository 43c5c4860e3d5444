//! A training from end to end: from the lake to a run.

use std::collections::BTreeMap;
use std::thread;

use futures_util::future::BoxFuture;
use indicatif::ProgressBar;
use market::FEATURES_VERSION;
use market::model::INPUTS;

use super::commit;
use super::error::TrainError;
use super::label_result::LabelResult;
use super::material::{Facts, Material};
use super::report::{Subject, card};
use super::settings::TrainSettings;
use super::steps;
use super::threads::on_threads;
use super::trained::{NewestDay, Trained};
use crate::data::range::show_ms;
use crate::data::{Features, Rows, open_lake};
use crate::drift::{REFERENCE_PATH, Reference};
use crate::run::{Artifact, Run};

/// Reads the lake, fits both models and evaluates them. The bar shows the progress; pass a hidden one to show nothing.
///
/// # Errors
/// When the lake cannot be read, or no model can be trained.
pub fn train<'a>(
    settings: &'a TrainSettings,
    progress: &'a ProgressBar,
) -> BoxFuture<'a, Result<Trained, TrainError>> {
    Box::pin(read_and_train(settings, progress))
}

async fn read_and_train(
    settings: &TrainSettings,
    progress: &ProgressBar,
) -> Result<Trained, TrainError> {
    let lake = open_lake(&settings.lake)?;
    let features = Features::open(&lake, settings.range).await?;
    let rows = features.rows(progress).await?;
    let material = Material::of_rows(&rows, settings);
    drop(rows);
    let material = material.read(&features, progress).await?;
    let (settings, progress) = (settings.clone(), progress.clone());
    // A thread of its own: an interrupted process ends without waiting for it, unlike for the runtime's threads.
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let train = move || {
        let _ = sender.send(train_on(material, &settings, &progress));
    };
    let thread = thread::Builder::new().name("train".to_owned());
    thread.spawn(train).map_err(TrainError::Thread)?;
    receiver.await.map_err(|_| TrainError::Stopped)?
}

/// Fits both models to rows and evaluates them.
///
/// # Errors
/// When no model can be trained.
pub fn train_rows(
    rows: &Rows,
    settings: &TrainSettings,
    progress: &ProgressBar,
) -> Result<Trained, TrainError> {
    train_on(Material::of_rows(rows, settings), settings, progress)
}

fn train_on(
    material: Material,
    settings: &TrainSettings,
    progress: &ProgressBar,
) -> Result<Trained, TrainError> {
    on_threads(settings.threads, || {
        train_here(material, settings, progress)
    })?
}

fn train_here(
    material: Material,
    settings: &TrainSettings,
    progress: &ProgressBar,
) -> Result<Trained, TrainError> {
    let Material {
        facts,
        splits,
        left_out,
    } = material;
    steps::begin(progress, LabelResult::STEPS * splits.len());
    let mut results = Vec::new();
    for (label, split) in splits {
        results.push(LabelResult::of(label, split, settings, progress)?);
    }
    progress.finish_and_clear();
    if results.is_empty() {
        return Err(TrainError::Nothing(left_out));
    }
    let mut run = Run {
        params: params(settings),
        tags: tags(&facts, settings),
        ..Run::default()
    };
    for result in &results {
        result.write(&mut run);
    }
    let subjects: Vec<Subject<'_>> = results.iter().map(LabelResult::subject).collect();
    let card = card(&facts, &subjects, &left_out);
    run.artifacts.extend([
        Artifact::new("model_card.md", card.into_bytes()),
        Artifact::new(REFERENCE_PATH, reference(&results, settings).to_json()),
    ]);
    let newest_day = results.into_iter().map(LabelResult::newest_day).collect();
    Ok(Trained {
        run,
        left_out,
        newest_day: NewestDay(newest_day),
    })
}

/// Of the market: what a sample has too much of is drawn from once more.
fn reference(results: &[LabelResult], settings: &TrainSettings) -> Reference {
    let seed = settings.forest.seed;
    let fit = results[0].split.fit.level(seed);
    let mut reference = Reference::of_inputs(fit.range().unwrap_or_default(), &fit.inputs);
    for result in results {
        let scores = result
            .model
            .probabilities(&result.split.test.level(seed).inputs);
        reference.add_scores(result.label.as_str(), &scores);
    }
    reference
}

fn params(settings: &TrainSettings) -> BTreeMap<String, String> {
    let TrainSettings {
        range,
        forest,
        logistic,
        ..
    } = settings;
    [
        ("range", range.to_string()),
        ("inputs", INPUTS.join(",")),
        ("features_version", FEATURES_VERSION.to_string()),
        ("seed", forest.seed.to_string()),
        ("anomaly_ahead/model", "random forest".to_owned()),
        ("anomaly_ahead/trees", forest.trees.to_string()),
        ("anomaly_ahead/depth_max", forest.depth_max.to_string()),
        ("anomaly_ahead/shrinkage", forest.shrinkage.to_string()),
        ("trend_up/model", "logistic regression".to_owned()),
        ("trend_up/alpha", logistic.alpha.to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

fn tags(facts: &Facts, settings: &TrainSettings) -> BTreeMap<String, String> {
    let (from, to) = facts.range;
    let mut tags: BTreeMap<String, String> = [
        ("lake", settings.lake.clone()),
        ("data_from", show_ms(from)),
        ("data_to", show_ms(to)),
        ("rows", facts.rows.to_string()),
        (
            "rows_of_other_features",
            facts.of_other_features.to_string(),
        ),
        ("coins", facts.coins.join(",")),
        ("coinlake_version", env!("CARGO_PKG_VERSION").to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    tags.extend(commit::known().map(|commit| ("git_commit".to_owned(), commit)));
    tags
}
