//! One label: its model, fitted and evaluated.

use std::time::Instant;

use indicatif::ProgressBar;
use market::model::INPUTS;
use market::model::slot::MODEL_BYTES_MAX;

use super::error::TrainError;
use super::fit::{FitError, ModelParams};
use super::importance::{Importance, importances};
use super::report::{Subject, pictures};
use super::settings::TrainSettings;
use super::steps::Step;
use crate::data::range::show_ms;
use crate::data::{Label, Part, Split};
use crate::evaluation::{BestInput, Evaluation, evaluate};
use crate::model::Model;
use crate::run::{Artifact, Metric, Run, TrainedModel};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// The metric that promotion compares: AUC-ROC on the newest day.
pub const NEWEST_DAY_METRIC: &str = "newest_day_auc_roc";

/// A label's model and its evaluation.
pub(super) struct LabelResult {
    pub(super) label: Label,
    pub(super) split: Split,
    newest_day: Part,
    pub(super) model: Model,
    params: ModelParams,
    evaluation: Evaluation,
    importances: Vec<Importance>,
    fit_seconds: f64,
}

impl LabelResult {
    /// The steps of the progress.
    pub(super) const STEPS: usize = 3;

    /// Fits the model, chooses a threshold, and evaluates it.
    pub(super) fn of(
        label: Label,
        split: Split,
        settings: &TrainSettings,
        progress: &ProgressBar,
    ) -> Result<Self, TrainError> {
        let fit_failed = |source| TrainError::Fit { label, source };
        let params = settings.model(label);
        let step = |what: &str, parts: u64| Step::new(progress, format!("{label}: {what}"), parts);

        let begin = Instant::now();
        let (mut model, params) = {
            let step = step("fitting", params.parts());
            let fitted = fit_to_serve(params, label, &split.fit, &|| step.part());
            fitted.map_err(fit_failed)?
        };
        let fit_seconds = begin.elapsed().as_secs_f64();
        model.info_mut().threshold = {
            let step = step("choosing a threshold", params.parts());
            let threshold = threshold(&params, label, &split.fit, &|| step.part());
            threshold.map_err(fit_failed)?
        };
        let step = step("testing", 1 + INPUTS.len() as u64);
        let evaluation = evaluate(&model, &split);
        step.part();
        let seed = settings.forest.seed;
        let importances = importances(&model, &split.test, seed, &|| step.part());
        drop(step);

        let (_, end) = split.test.range().unwrap_or_default();
        Ok(Self {
            label,
            newest_day: match split.test.of_times(|time| time > end - DAY_MS) {
                day if day.has_both() => day,
                _ => split.test.clone(),
            },
            split,
            model,
            params,
            evaluation,
            importances,
            fit_seconds,
        })
    }

    /// Its name, and what other versions are compared on.
    pub(super) fn newest_day(self) -> (&'static str, (Part, BestInput)) {
        let best_input = self.evaluation.best_input;
        (self.label.as_str(), (self.newest_day, best_input))
    }

    pub(super) fn subject(&self) -> Subject<'_> {
        Subject {
            label: self.label,
            model: &self.model,
            evaluation: &self.evaluation,
            importances: &self.importances,
            tested: self.split.test.range().unwrap_or_default(),
            samples: [self.split.fit.weights, self.split.test.weights],
            fit_seconds: self.fit_seconds,
        }
    }

    /// Adds its metrics, pictures and model to a run.
    pub(super) fn write(&self, run: &mut Run) {
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
        // A series by day shows whether the model ages.
        let days = auc_by_day(&self.model, &self.split.test);
        run.metrics
            .extend(days.map(|(day, auc)| metric("auc_roc_by_day", auc, day)));
        let importances = self.importances.iter();
        run.metrics
            .extend(importances.map(|i| metric(&format!("importance/{}", i.input), i.auc_drop, 0)));

        if let ModelParams::Forest(forest) = &self.params {
            let rows = forest.leaf_rows_min.to_string();
            run.params.insert(format!("{label}/leaf_rows_min"), rows);
        }
        let best_input = self.evaluation.best_input.to_string();
        run.params.insert(format!("{label}/best_input"), best_input);
        let (from, to) = self.split.test.range().unwrap_or_default();
        let tested = format!("{} to {}", show_ms(from), show_ms(to));
        run.params.insert(format!("{label}/test_range"), tested);
        for (part, rows) in [("fit", &self.split.fit), ("test", &self.split.test)] {
            let sample = rows.weights.to_string();
            run.params.insert(format!("{label}/{part}_sample"), sample);
        }
        let bytes = self.model.to_bytes();
        let picture =
            |name: &str, svg: Vec<u8>| Artifact::new(format!("pictures/{label}/{name}.svg"), svg);
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
            best_input_ranking,
            ..
        } = &self.evaluation;
        let mut metrics = vec![
            ("auc_roc", ranking.auc_roc()),
            ("auc_pr", ranking.auc_pr()),
            ("gain", ranking.auc_pr() / self.evaluation.base_rate),
            ("lift_top_1pct", ranking.lift(0.01)),
            ("brier", self.evaluation.brier),
            ("threshold", self.evaluation.threshold),
            ("true_positives", confusion.true_positive as f64),
            ("false_positives", confusion.false_positive as f64),
            ("false_negatives", confusion.false_negative as f64),
            ("true_negatives", confusion.true_negative as f64),
            ("base_rate", self.evaluation.base_rate),
            ("base_rate_brier", self.evaluation.base_rate_brier),
            ("best_input_auc_roc", best_input_ranking.auc_roc()),
            ("best_input_auc_pr", best_input_ranking.auc_pr()),
            ("fit_rows", self.split.fit.len() as f64),
            ("test_rows", self.split.test.len() as f64),
            ("fit_seconds", self.fit_seconds),
        ];
        if let Some(intervals) = self.evaluation.intervals {
            metrics.extend([
                ("auc_pr_low", intervals.auc_pr.low),
                ("auc_pr_high", intervals.auc_pr.high),
                ("gain_low", intervals.gain.low),
                ("gain_high", intervals.gain.high),
                ("lead_low", intervals.lead.low),
                ("lead_high", intervals.lead.high),
            ]);
        }
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

/// Fits a model for which crypto-predict has room: a forest without it is fitted again, with leaves of twice as many rows. Returns the
/// settings, too.
fn fit_to_serve(
    mut params: ModelParams,
    label: Label,
    fit: &Part,
    part_done: &(dyn Fn() + Sync),
) -> Result<(Model, ModelParams), FitError> {
    loop {
        let model = params.fit_with(label, fit, part_done)?;
        match &mut params {
            ModelParams::Forest(forest) if model.to_bytes().len() > MODEL_BYTES_MAX => {
                forest.leaf_rows_min *= 2;
            }
            _ => return Ok((model, params)),
        }
    }
}

/// The best threshold. It is chosen without the rows tested on, and on rows the model was not fitted on: the rows to fit on
/// are split once more. If they are too few for that, on all of them.
fn threshold(
    params: &ModelParams,
    label: Label,
    fit: &Part,
    part_done: &(dyn Fn() + Sync),
) -> Result<f64, FitError> {
    let (model, part) = match fit.split(label) {
        Ok(split) => (params.fit_with(label, &split.fit, part_done)?, split.test),
        Err(_) => (params.fit_with(label, fit, part_done)?, fit.clone()),
    };
    let scores = model.probabilities(&part.inputs);
    Ok(part.ranking(&scores).best_threshold())
}

/// `None` unless both labels occur.
fn auc_roc(model: &Model, part: &Part) -> Option<f64> {
    part.has_both().then(|| {
        let scores = model.probabilities(&part.inputs);
        part.ranking(&scores).auc_roc()
    })
}

/// AUC-ROC of each day on which both labels occur; days are counted from the first.
fn auc_by_day(model: &Model, part: &Part) -> impl Iterator<Item = (i64, f64)> {
    let day = |time: i64| time.div_euclid(DAY_MS);
    let (first, last) = part.range().unwrap_or_default();
    (day(first)..=day(last)).filter_map(move |of| {
        let rows = part.of_times(|time| day(time) == of);
        Some((of - day(first), auc_roc(model, &rows)?))
    })
}
