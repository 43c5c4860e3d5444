//! The model card: a page that describes a run's models, their evaluation and their limits.

use std::fmt::Write;

use market::FEATURES_VERSION;

use crate::data::range::show_ms;
use crate::data::{Label, Weights};
use crate::evaluation::Evaluation;
use crate::learn::importance::Importance;
use crate::learn::material::Facts;
use crate::model::Model;

/// A model, for the card.
pub(crate) struct Subject<'a> {
    pub(crate) label: Label,
    pub(crate) model: &'a Model,
    pub(crate) evaluation: &'a Evaluation,
    pub(crate) importances: &'a [Importance],
    /// First and last event time of the rows tested on.
    pub(crate) tested: (i64, i64),
    /// What the rows fitted on and those tested on stand for.
    pub(crate) samples: [Weights; 2],
    pub(crate) fit_seconds: f64,
}

/// The page in Markdown. It links the pictures.
pub(crate) fn card(facts: &Facts, subjects: &[Subject<'_>], left_out: &[String]) -> String {
    let mut card = String::from("# Model card\n\n");
    let (from, to) = facts.range;
    let _ = writeln!(
        card,
        "Trained on {} rows of `lake/features`: {} coins, {} to {}. Rows are split by time: no model was fitted on the newest \
         fifth, and there is a gap of 20 minutes before it. The features are of version {FEATURES_VERSION}.\n",
        facts.rows,
        facts.coins.len(),
        show_ms(from),
        show_ms(to),
    );
    for subject in subjects {
        write_subject(&mut card, subject);
    }
    if !left_out.is_empty() {
        card.push_str("## Not trained\n\n");
        for reason in left_out {
            let _ = writeln!(card, "- {reason}");
        }
        card.push('\n');
    }
    card.push_str(
        "## Limits\n\nThe models estimate how often something happened after similar minutes. They know nothing of news, order \
         books or other markets. They were tested on the days right after those they were fitted on, and other days may be \
         harder. Do not trade on them.\n",
    );
    card
}

fn write_subject(card: &mut String, subject: &Subject<'_>) {
    let Subject {
        label,
        model,
        evaluation,
        importances,
        tested,
        samples: [fitted_on, tested_on],
        fit_seconds,
    } = subject;
    let info = model.info();
    let what = match label {
        Label::AnomalyAhead => "whether an episode of warnings or worse begins within 15 minutes",
        Label::TrendUp => "whether the price is higher 15 minutes later",
    };
    let kind = match model {
        Model::Forest(forest) => format!("random forest of {} trees", forest.trees().len()),
        Model::Logistic(_) => "logistic regression on scaled inputs".to_owned(),
    };
    let _ = writeln!(
        card,
        "## {label}\n\nPredicts {what}. A {kind}, fitted on {} rows from {} to {} in {fit_seconds:.1} s; tested on {} \
         rows from {} to {}, {:.2} % of them true.\n",
        info.rows,
        show_ms(info.trained_from_ms),
        show_ms(info.trained_to_ms),
        evaluation.rows,
        show_ms(tested.0),
        show_ms(tested.1),
        100.0 * evaluation.base_rate,
    );
    if *fitted_on != Weights::default() || *tested_on != Weights::default() {
        let _ = writeln!(
            card,
            "It is fitted on a sample, {fitted_on}, and tested on {tested_on}; the measurements weight each row by how many \
             it stands for, so they are those of the market.\n",
        );
    }
    let Evaluation {
        ranking,
        best_input,
        best_input_ranking,
        ..
    } = evaluation;
    let best_input = best_input.to_string().replace('|', "\\|");
    let _ = writeln!(
        card,
        "| | AUC-ROC | AUC-PR | lift in the top 1 % | Brier |\n|---|---|---|---|---|\n\
         | model | {:.4} | {:.4} | {:.1} | {:.4} |\n\
         | base rate | 0.5000 | {:.4} | 1.0 | {:.4} |\n\
         | {best_input} alone, the best on the rows fitted on | {:.4} | {:.4} | {:.1} | |\n",
        ranking.auc_roc(),
        ranking.auc_pr(),
        ranking.lift(0.01),
        evaluation.brier,
        evaluation.base_rate,
        evaluation.base_rate_brier,
        best_input_ranking.auc_roc(),
        best_input_ranking.auc_pr(),
        best_input_ranking.lift(0.01),
    );
    if let Some(intervals) = evaluation.intervals {
        let (auc_pr, gain, lead) = (intervals.auc_pr, intervals.gain, intervals.lead);
        let _ = writeln!(
            card,
            "AUC-PR is {:.1} times the base rate. With other hours drawn from those tested on (block bootstrap, 95 %) it lies \
             between {:.4} and {:.4}, and between {:.1} and {:.1} times the base rate of the hours drawn; its lead over the input \
             alone lies between {:+.4} and {:+.4}.\n",
            ranking.auc_pr() / evaluation.base_rate,
            auc_pr.low,
            auc_pr.high,
            gain.low,
            gain.high,
            lead.low,
            lead.high,
        );
    }
    let confusion = evaluation.confusion;
    let percent = |share: Option<f64>| {
        share.map_or_else(
            || "none".to_owned(),
            |share| format!("{:.1} %", 100.0 * share),
        )
    };
    let _ = writeln!(
        card,
        "The threshold, {:.4}, was chosen on the rows fitted on. With it: precision {}, recall {} ({} found, {} missed, {} \
         false).\n",
        evaluation.threshold,
        percent(confusion.precision()),
        percent(confusion.recall()),
        confusion.true_positive,
        confusion.false_negative,
        confusion.false_positive,
    );
    let strongest: Vec<String> = importances
        .iter()
        .take(4)
        .map(|importance| format!("`{}` ({:+.4})", importance.input, importance.auc_drop))
        .collect();
    let _ = writeln!(
        card,
        "Its most important inputs, by the fall of AUC-ROC when the input is shuffled: {}.\n",
        strongest.join(", "),
    );
    let _ = writeln!(
        card,
        "![ROC](pictures/{label}/roc.svg) ![Precision and recall](pictures/{label}/precision_recall.svg) \
         ![Calibration](pictures/{label}/calibration.svg) ![Importance](pictures/{label}/importance.svg) \
         ![Confusion](pictures/{label}/confusion.svg)\n",
    );
}
