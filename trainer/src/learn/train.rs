//! A training from end to end: rows, models, judgement, and the run that says it all.

use std::collections::BTreeMap;
use std::thread;
use std::time::Instant;

use futures_util::future::BoxFuture;
use indicatif::{ProgressBar, ProgressStyle};
use market::model::INPUTS;

use crate::data::range::show_ms;
use crate::data::{DataError, Label, Part, Rows, Split, TimeRange, open_lake, read_rows};
use crate::drift::{REFERENCE_PATH, Reference};
use crate::evaluation::{Evaluation, Ranking, evaluate};
use crate::model::Model;
use crate::run::{Artifact, Metric, Run, TrainedModel};

use super::commit;
use super::fit::{FitError, ForestParams, LogisticParams, ModelParams, on_threads};
use super::importance::{Importance, importances};
use super::report::{Subject, card, pictures};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// What a model got on the newest day: what the promotion rule compares.
pub const NEWEST_DAY_METRIC: &str = "newest_day_auc_roc";

/// What to train, on what.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainSettings {
    /// The lake's folder or URL.
    pub lake: String,
    /// The rows to use.
    pub range: TimeRange,
    /// For `anomaly_ahead`. Its seed also decides the shuffles of the importances.
    pub forest: ForestParams,
    /// For `trend_up`.
    pub logistic: LogisticParams,
}

impl TrainSettings {
    /// The usual models on all of a lake.
    pub fn of_lake(lake: impl Into<String>) -> Self {
        Self {
            lake: lake.into(),
            range: TimeRange::default(),
            forest: ForestParams::default(),
            logistic: LogisticParams::default(),
        }
    }

    fn model(&self, label: Label) -> ModelParams {
        match label {
            Label::AnomalyAhead => ModelParams::Forest(self.forest.clone()),
            Label::TrendUp => ModelParams::Logistic(self.logistic.clone()),
        }
    }
}

/// Why a training came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// There is nothing to learn from.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A model could not be fitted.
    #[error("{label}: {source}")]
    Fit {
        /// Which one.
        label: Label,
        /// Why.
        source: FitError,
    },
    /// Not one model could be trained.
    #[error("nothing could be trained. {}", .0.join(". "))]
    Nothing(Vec<String>),
    /// No threads to be had.
    #[error("cannot start threads to train with: {0}; give fewer")]
    Threads(#[from] rayon::ThreadPoolBuildError),
    /// No thread to be had.
    #[error("cannot start a thread to train on: {0}; give the process more")]
    Thread(std::io::Error),
    /// The training panicked, which is a fault of ours; stderr tells where.
    #[error("the training stopped by itself")]
    Stopped,
}

/// What came of a training.
#[derive(Debug, Clone)]
pub struct Trained {
    /// What is to be tracked.
    pub run: Run,
    /// For each label that could not be trained a sentence why.
    pub left_out: Vec<String>,
    /// The newest day, to judge other versions by.
    pub newest_day: NewestDay,
}

/// The labelled rows of the newest day, none of which was fitted on.
#[derive(Debug, Clone, Default)]
pub struct NewestDay(BTreeMap<&'static str, Part>);

impl NewestDay {
    /// A label's rows; `None` if its model was left out.
    pub fn part(&self, label: Label) -> Option<&Part> {
        self.0.get(label.as_str())
    }
}

/// Reads the lake, fits both models, and judges them. The bar shows how far it is; a hidden one shows nothing.
///
/// # Errors
/// When the lake cannot be read, or not one model can be trained.
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
    let rows = read_rows(&lake, settings.range, progress).await?;
    let (settings, progress) = (settings.clone(), progress.clone());
    // On a thread of its own: a process that is interrupted ends without waiting for it, unlike for the runtime's threads.
    let (tell, told) = tokio::sync::oneshot::channel();
    let train = move || {
        let _ = tell.send(train_rows(&rows, &settings, &progress));
    };
    let thread = thread::Builder::new().name("train".to_owned());
    thread.spawn(train).map_err(TrainError::Thread)?;
    told.await.map_err(|_| TrainError::Stopped)?
}

/// Fits both models to rows, and judges them.
///
/// # Errors
/// When not one model can be trained.
pub fn train_rows(
    rows: &Rows,
    settings: &TrainSettings,
    progress: &ProgressBar,
) -> Result<Trained, TrainError> {
    on_threads(settings.forest.threads, || {
        train_here(rows, settings, progress)
    })?
}

fn train_here(
    rows: &Rows,
    settings: &TrainSettings,
    progress: &ProgressBar,
) -> Result<Trained, TrainError> {
    progress.reset();
    progress.set_style(
        ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len}")
            .expect("the template is well-formed"),
    );
    progress.set_length(3 * Label::ALL.len() as u64);
    let (mut results, mut left_out) = (Vec::new(), Vec::new());
    for label in Label::ALL {
        match Part::of_rows(rows, label).split(label) {
            Ok(split) => results.push(LabelResult::of(label, split, settings, progress)?),
            Err(problem) => left_out.push(problem.to_string()),
        }
    }
    progress.finish_and_clear();
    if results.is_empty() {
        return Err(TrainError::Nothing(left_out));
    }
    let mut run = Run {
        params: params(settings),
        tags: tags(rows, settings),
        ..Run::default()
    };
    for result in &results {
        result.write(&mut run);
    }
    let subjects: Vec<Subject<'_>> = results.iter().map(LabelResult::subject).collect();
    let card = card(rows, &subjects, &left_out);
    run.artifacts.extend([
        artifact("model_card.md", card.into_bytes()),
        artifact(REFERENCE_PATH, reference(&results).to_json()),
    ]);
    let newest_day = results
        .into_iter()
        .map(|result| (result.label.as_str(), result.newest_day))
        .collect();
    Ok(Trained {
        run,
        left_out,
        newest_day: NewestDay(newest_day),
    })
}

/// What came of one label.
struct LabelResult {
    label: Label,
    split: Split,
    newest_day: Part,
    model: Model,
    evaluation: Evaluation,
    importances: Vec<Importance>,
    fit_seconds: f64,
}

impl LabelResult {
    fn of(
        label: Label,
        split: Split,
        settings: &TrainSettings,
        progress: &ProgressBar,
    ) -> Result<Self, TrainError> {
        let fit_failed = |source| TrainError::Fit { label, source };
        let params = settings.model(label);
        let step = |what: &str| progress.set_message(format!("{label}: {what}"));

        step("choosing a threshold");
        let threshold = threshold(&params, label, &split.fit).map_err(fit_failed)?;
        progress.inc(1);
        step("fitting");
        let begin = Instant::now();
        let mut model = params.fit(label, &split.fit).map_err(fit_failed)?;
        let fit_seconds = begin.elapsed().as_secs_f64();
        model.info_mut().threshold = threshold;
        progress.inc(1);
        step("testing");
        let evaluation = evaluate(&model, &split.test, split.fit.base_rate());
        let importances = importances(&model, &split.test, settings.forest.seed);
        progress.inc(1);

        let (_, end) = split.test.range().unwrap_or_default();
        Ok(Self {
            label,
            newest_day: split.test.of_times(|time| time > end - DAY_MS),
            split,
            model,
            evaluation,
            importances,
            fit_seconds,
        })
    }

    fn subject(&self) -> Subject<'_> {
        Subject {
            label: self.label,
            model: &self.model,
            evaluation: &self.evaluation,
            importances: &self.importances,
            tested: self.split.test.range().unwrap_or_default(),
            fit_seconds: self.fit_seconds,
        }
    }

    fn write(&self, run: &mut Run) {
        let label = self.label.as_str();
        let mut metrics = self.metrics();
        let newest_day = auc_roc(&self.model, &self.newest_day);
        metrics.extend(newest_day.map(|auc| (NEWEST_DAY_METRIC, auc)));
        let metric = |name: &str, value: f64, step: i64| Metric {
            name: format!("{label}/{name}"),
            value,
            step,
        };
        run.metrics
            .extend(metrics.iter().map(|(name, value)| metric(name, *value, 0)));
        // So that a look at the run tells whether the model wears off.
        let days = auc_by_day(&self.model, &self.split.test);
        run.metrics
            .extend(days.map(|(day, auc)| metric("auc_roc_by_day", auc, day)));
        let importances = self.importances.iter();
        run.metrics
            .extend(importances.map(|i| metric(&format!("importance/{}", i.input), i.auc_drop, 0)));

        let bytes = self.model.to_bytes();
        let picture =
            |name: &str, svg: Vec<u8>| artifact(&format!("pictures/{label}/{name}.svg"), svg);
        run.artifacts.extend([
            picture("roc", pictures::roc(label, &self.evaluation)),
            picture(
                "precision_recall",
                pictures::precision_recall(label, &self.evaluation),
            ),
            picture(
                "calibration",
                pictures::calibration(label, &self.evaluation),
            ),
            picture("confusion", pictures::confusion(label, &self.evaluation)),
            picture("importance", pictures::importance(label, &self.importances)),
        ]);
        run.models.push(TrainedModel {
            name: label.to_owned(),
            bytes,
            metrics: metrics
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        });
    }

    fn metrics(&self) -> Vec<(&'static str, f64)> {
        let Evaluation {
            ranking,
            confusion,
            rule,
            ..
        } = &self.evaluation;
        let mut metrics = vec![
            ("auc_roc", ranking.auc_roc()),
            ("auc_pr", ranking.auc_pr()),
            ("brier", self.evaluation.brier),
            ("threshold", self.evaluation.threshold),
            ("true_positives", confusion.true_positive as f64),
            ("false_positives", confusion.false_positive as f64),
            ("false_negatives", confusion.false_negative as f64),
            ("true_negatives", confusion.true_negative as f64),
            ("base_rate", self.evaluation.base_rate),
            ("base_rate_brier", self.evaluation.base_rate_brier),
            ("rule_auc_roc", rule.auc_roc()),
            ("rule_auc_pr", rule.auc_pr()),
            ("fit_rows", self.split.fit.len() as f64),
            ("test_rows", self.split.test.len() as f64),
            ("fit_seconds", self.fit_seconds),
        ];
        let shares = [
            ("precision", confusion.precision()),
            ("recall", confusion.recall()),
            ("f1", confusion.f1()),
        ];
        metrics.extend(
            shares
                .into_iter()
                .filter_map(|(name, share)| Some((name, share?))),
        );
        metrics
    }
}

/// The best threshold, found without the rows tested on and without those the model was fitted on: of the rows to fit
/// on the newest are kept apart once more. Where they are too few for that, all of them have to do.
fn threshold(params: &ModelParams, label: Label, fit: &Part) -> Result<f64, FitError> {
    let (model, part) = match fit.split(label) {
        Ok(split) => (params.fit(label, &split.fit)?, split.test),
        Err(_) => (params.fit(label, fit)?, fit.clone()),
    };
    let scores = model.probabilities(&part.inputs);
    Ok(Ranking::of(&scores, &part.labels).best_threshold())
}

/// `None` unless there are both kinds of rows.
fn auc_roc(model: &Model, part: &Part) -> Option<f64> {
    let both = part.labels.iter().any(|label| *label) && part.labels.iter().any(|label| !label);
    both.then(|| {
        let scores = model.probabilities(&part.inputs);
        Ranking::of(&scores, &part.labels).auc_roc()
    })
}

/// AUC-ROC of each day that has both kinds of rows, days counted from the first.
fn auc_by_day(model: &Model, part: &Part) -> impl Iterator<Item = (i64, f64)> {
    let day = |time: i64| time.div_euclid(DAY_MS);
    let (first, last) = part.range().unwrap_or_default();
    (day(first)..=day(last)).filter_map(move |of| {
        let rows = part.of_times(|time| day(time) == of);
        Some((of - day(first), auc_roc(model, &rows)?))
    })
}

fn reference(results: &[LabelResult]) -> Reference {
    let fit = &results[0].split.fit;
    let mut reference = Reference::of_inputs(fit.range().unwrap_or_default(), &fit.inputs);
    for result in results {
        let scores = result.model.probabilities(&result.split.test.inputs);
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
        ("seed", forest.seed.to_string()),
        ("anomaly_ahead/model", "random forest".to_owned()),
        ("anomaly_ahead/trees", forest.trees.to_string()),
        ("anomaly_ahead/depth_max", forest.depth_max.to_string()),
        (
            "anomaly_ahead/leaf_rows_min",
            forest.leaf_rows_min.to_string(),
        ),
        ("anomaly_ahead/shrinkage", forest.shrinkage.to_string()),
        ("trend_up/model", "logistic regression".to_owned()),
        ("trend_up/alpha", logistic.alpha.to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

fn tags(rows: &Rows, settings: &TrainSettings) -> BTreeMap<String, String> {
    let (from, to) = rows.range().unwrap_or_default();
    let mut tags: BTreeMap<String, String> = [
        ("lake", settings.lake.clone()),
        ("data_from", show_ms(from)),
        ("data_to", show_ms(to)),
        ("rows", rows.len().to_string()),
        ("coins", rows.coins().join(",")),
        ("coinlake_version", env!("CARGO_PKG_VERSION").to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    tags.extend(commit::known().map(|commit| ("git_commit".to_owned(), commit)));
    tags
}

fn artifact(path: &str, bytes: Vec<u8>) -> Artifact {
    Artifact {
        path: path.to_owned(),
        bytes,
    }
}
