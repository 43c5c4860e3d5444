//! `coinlake train list`: runs, model versions and their aliases.

use std::num::NonZeroUsize;

use anyhow::Result;
use clap::Args;
use serde::Serialize;
use trainer::data::Label;
use trainer::tracking::{ModelVersion, RunRecord, Tracking};

use super::runs::RunsArgs;
use crate::commands::table::{number, table, time};
use crate::models::open_tracking;

#[derive(Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    pub(super) runs: RunsArgs,
    /// How many of the newest runs to show
    #[arg(long, value_name = "N", default_value = "20")]
    last: NonZeroUsize,
    /// Print the list as a JSON object on stdout
    #[arg(long)]
    json: bool,
}

/// Its JSON form is an interface that scripts rely on.
#[derive(Serialize)]
struct Listing {
    /// An MLflow server or a folder.
    place: String,
    experiment: String,
    runs: Vec<RunRecord>,
    versions: Vec<ModelVersion>,
}

pub(crate) async fn run(args: ListArgs) -> Result<()> {
    let tracking = open_tracking(&args.runs.data)?;
    let listing = read(tracking.as_ref(), &args).await?;
    if args.json {
        outln!("{}", serde_json::to_string(&listing)?);
    } else {
        listing.print();
    }
    Ok(())
}

async fn read(tracking: &dyn Tracking, args: &ListArgs) -> Result<Listing> {
    let experiment = args.runs.experiment.clone();
    let runs = tracking.runs(&experiment, args.last.get()).await?;
    let mut versions = Vec::new();
    for label in Label::ALL {
        versions.extend(tracking.versions(label.as_str()).await?);
    }
    Ok(Listing {
        place: tracking.place(),
        experiment,
        runs,
        versions,
    })
}

impl Listing {
    fn print(&self) {
        if self.runs.is_empty() {
            outln!(
                "no runs of experiment {} in {}: `coinlake train run` creates one",
                self.experiment,
                self.place
            );
        } else {
            outln!("runs of experiment {} in {}", self.experiment, self.place);
            outln!("{}", runs(&self.runs));
        }
        if !self.versions.is_empty() {
            outln!("\nmodel versions");
            outln!("{}", versions(&self.versions));
            for version in &self.versions {
                if !version.note.is_empty() {
                    outln!("{}/{} {}", version.model, version.version, version.note);
                }
            }
        }
    }
}

fn runs(runs: &[RunRecord]) -> comfy_table::Table {
    let columns: Vec<String> = Label::ALL
        .iter()
        .map(|label| format!("{label} AUC-ROC"))
        .collect();
    let mut header = vec!["run", "name", "started (UTC)", "seconds", "status"];
    header.extend(columns.iter().map(String::as_str));
    let mut table = table(&header);
    for run in runs {
        let seconds = run.ended_ms.map(|ended| (ended - run.started_ms) / 1000);
        let mut cells = vec![
            run.id.as_str().into(),
            run.name.as_str().into(),
            time(run.started_ms).into(),
            seconds
                .map_or_else(|| "-".to_owned(), |seconds| seconds.to_string())
                .into(),
            run.status.into(),
        ];
        cells.extend(Label::ALL.map(|label| number(run.metrics.get(&auc_roc(label)).copied())));
        table.add_row(cells);
    }
    table
}

fn versions(versions: &[ModelVersion]) -> comfy_table::Table {
    let mut table = table(&["version", "in", "registered (UTC)", "run"]);
    for version in versions {
        table.add_row([
            format!("{}/{}", version.model, version.version),
            version.aliases.join(", "),
            time(version.created_ms),
            version.run.clone(),
        ]);
    }
    table
}

/// The metric that is shown for each run.
fn auc_roc(label: Label) -> String {
    format!("{label}/auc_roc")
}
