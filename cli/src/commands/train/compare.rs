//! `coinlake train compare`: two runs next to each other.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use clap::Args;
use comfy_table::Cell;
use serde::Serialize;
use trainer::tracking::RunRecord;

use super::runs::RunsArgs;
use crate::commands::table::{number, table, time};
use crate::models::open_tracking;

#[derive(Args)]
pub(crate) struct CompareArgs {
    /// Baseline run
    #[arg(value_name = "RUN")]
    first: String,
    /// Run to compare with it
    #[arg(value_name = "RUN")]
    second: String,
    #[command(flatten)]
    pub(super) runs: RunsArgs,
    /// Show every metric, parameter and tag, also those that are equal
    #[arg(long)]
    all: bool,
    /// Print the comparison as a JSON object on stdout
    #[arg(long)]
    json: bool,
}

/// What is shown of each model unless all is asked for.
const KEY_METRICS: [&str; 3] = ["auc_roc", "auc_pr", "brier"];

/// Its JSON form is an interface that scripts rely on.
#[derive(Serialize)]
struct Comparison {
    runs: [RunRecord; 2],
    /// The metrics that both runs have: second minus first.
    differences: BTreeMap<String, f64>,
}

pub(crate) async fn run(args: CompareArgs) -> Result<()> {
    let tracking = open_tracking(&args.runs.data)?;
    let first = tracking.run(&args.first).await?;
    let second = tracking.run(&args.second).await?;
    let both = first.metrics.iter().filter_map(|(name, value)| {
        let other = second.metrics.get(name)?;
        Some((name.clone(), other - value))
    });
    let comparison = Comparison {
        differences: both.collect(),
        runs: [first, second],
    };
    if args.json {
        outln!("{}", serde_json::to_string(&comparison)?);
    } else {
        comparison.print(args.all);
    }
    Ok(())
}

impl Comparison {
    fn print(&self, all: bool) {
        let [first, second] = &self.runs;
        for run in [first, second] {
            outln!(
                "{}  {}  {} UTC  {}",
                run.id,
                run.name,
                time(run.started_ms),
                run.status
            );
        }
        let mut metrics = table(&["metric", &first.name, &second.name, "difference"]);
        for name in names(&first.metrics, &second.metrics) {
            let (one, two) = (first.metrics.get(name), second.metrics.get(name));
            if all || is_key_metric(name) {
                let difference = self.differences.get(name);
                metrics.add_row([
                    Cell::new(name),
                    number(one.copied()),
                    number(two.copied()),
                    number(difference.copied()),
                ]);
            }
        }
        if names(&first.metrics, &second.metrics).is_empty() {
            outln!("\nmetrics: none");
        } else {
            show("metrics", &metrics);
        }
        let hidden = names(&first.metrics, &second.metrics).len() - metrics.row_count();
        if hidden > 0 {
            outln!("{hidden} more with --all");
        }
        for (what, one, two) in [
            ("params", &first.params, &second.params),
            ("tags", &first.tags, &second.tags),
        ] {
            let mut rows = table(&[what, &first.name, &second.name]);
            for name in names(one, two) {
                let shown =
                    |map: &BTreeMap<String, String>| map.get(name).cloned().unwrap_or_default();
                // MLflow's own tags only say how its pages show a run.
                if (all || one.get(name) != two.get(name)) && !name.starts_with("mlflow.") {
                    rows.add_row([name.clone(), shown(one), shown(two)]);
                }
            }
            show(what, &rows);
        }
    }
}

fn is_key_metric(name: &str) -> bool {
    let metric = name.split_once('/').map(|(_, metric)| metric);
    metric.is_some_and(|metric| KEY_METRICS.contains(&metric))
}

fn show(what: &str, table: &comfy_table::Table) {
    if table.row_count() == 0 {
        outln!("\n{what}: the same");
    } else {
        outln!("\n{table}");
    }
}

fn names<'a, T>(
    one: &'a BTreeMap<String, T>,
    two: &'a BTreeMap<String, T>,
) -> BTreeSet<&'a String> {
    one.keys().chain(two.keys()).collect()
}
