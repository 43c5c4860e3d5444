//! The result of a training.

use std::collections::BTreeMap;

use serde::Serialize;
use trainer::data::Label;
use trainer::tracking::Alias;

use crate::commands::table::{number, table};

/// The metrics that are shown to people.
const SHOWN_METRICS: [&str; 8] = [
    "base_rate",
    "auc_pr",
    "auc_pr_low",
    "auc_pr_high",
    "gain_low",
    "best_input_auc_pr",
    "auc_roc",
    "lift_top_1pct",
];

/// Its JSON form is an interface that scripts rely on.
#[derive(Serialize)]
pub(crate) struct Report {
    /// Where the run is stored: an MLflow server or a folder.
    pub(crate) place: String,
    /// Its id.
    pub(crate) run: String,
    /// How long reading, training and storing took.
    pub(crate) seconds: f64,
    pub(crate) models: Vec<ModelReport>,
    /// Why a label could not be trained, a sentence for each.
    pub(crate) left_out: Vec<String>,
    /// If a version was promoted, or an earlier promotion was not served: what the broker serves now, or why that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) serving: Option<String>,
}

#[derive(Serialize)]
pub(crate) struct ModelReport {
    pub(crate) model: Label,
    pub(crate) version: u32,
    pub(crate) alias: Alias,
    /// Why it has this alias.
    pub(crate) reason: String,
    /// Those of its test rows, without the name of the model.
    pub(crate) metrics: BTreeMap<String, f64>,
}

impl Report {
    pub(crate) fn print(&self) {
        outln!("run {} in {}, {:.1} s", self.run, self.place, self.seconds);
        let mut header = vec!["version", "in"];
        header.extend(SHOWN_METRICS);
        let mut rows = table(&header);
        for model in &self.models {
            let mut cells = vec![
                format!("{}/{}", model.model, model.version).into(),
                model.alias.into(),
            ];
            cells.extend(SHOWN_METRICS.map(|metric| number(model.metrics.get(metric).copied())));
            rows.add_row(cells);
        }
        outln!("{rows}");
        for model in &self.models {
            outln!(
                "{}/{} in {}: {}",
                model.model,
                model.version,
                model.alias,
                model.reason
            );
        }
        for reason in &self.left_out {
            outln!("left out: {reason}");
        }
        if let Some(serving) = &self.serving {
            outln!("{serving}");
        }
    }
}
