//! `coinlake train list`: runs, versions, and which version is where.

use anyhow::Result;
use clap::Args;
use serde::Serialize;
use trainer::data::Label;
use trainer::tracking::{ModelVersion, RunRecord, Tracking, TrackingError};

use super::table::{number, table, time};
use super::{RunsOptions, open_tracking};

#[derive(Args)]
pub struct Options {
    #[command(flatten)]
    runs: RunsOptions,
    /// How many runs to show, newest first
    #[arg(long, value_name = "N", default_value = "20")]
    last: usize,
    /// Print one JSON object on stdout
    #[arg(long)]
    json: bool,
}

/// What is shown.
#[derive(Serialize)]
struct Listing {
    place: String,
    experiment: String,
    runs: Vec<RunRecord>,
    versions: Vec<ModelVersion>,
}

pub async fn run(options: Options) -> Result<()> {
    let tracking = open_tracking(&options.runs.data)?;
    let listing = look(tracking.as_ref(), &options).await?;
    if options.json {
        println!("{}", serde_json::to_string(&listing)?);
    } else {
        listing.print();
    }
    Ok(())
}

async fn look(tracking: &dyn Tracking, options: &Options) -> Result<Listing> {
    let experiment = options.runs.experiment.clone();
    let runs = match tracking.runs(&experiment, options.last).await {
        // Before the first run there is nothing to show, which is no error.
        Err(TrackingError::UnknownExperiment { .. }) => Vec::new(),
        runs => runs?,
    };
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
            println!(
                "no runs of experiment {} in {}: `coinlake train run` makes one",
                self.experiment, self.place
            );
        } else {
            println!("runs of experiment {} in {}", self.experiment, self.place);
            println!("{}", runs(&self.runs));
        }
        if !self.versions.is_empty() {
            println!("\nmodel versions");
            println!("{}", versions(&self.versions));
            for version in self
                .versions
                .iter()
                .filter(|version| !version.note.is_empty())
            {
                println!("{}/{} {}", version.model, version.version, version.note);
            }
        }
    }
}

fn runs(runs: &[RunRecord]) -> comfy_table::Table {
    let columns: Vec<String> = Label::ALL
        .iter()
        .map(|label| format!("{label} AUC-ROC"))
        .collect();
    let mut header = vec!["run", "name", "began (UTC)", "seconds", "status"];
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

/// The metric that a run is known by.
fn auc_roc(label: Label) -> String {
    format!("{label}/auc_roc")
}
