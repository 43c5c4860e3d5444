//! `coinlake train compare`: two runs side by side.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use clap::Args;
use comfy_table::Cell;
use serde::Serialize;
use trainer::tracking::RunRecord;

use super::table::{number, table, time};
use super::{RunsOptions, open_tracking};

#[derive(Args)]
pub struct Options {
    /// The run to compare with
    #[arg(value_name = "RUN")]
    first: String,
    /// The run to look at
    #[arg(value_name = "RUN")]
    second: String,
    #[command(flatten)]
    runs: RunsOptions,
    /// Show what is equal too
    #[arg(long)]
    all: bool,
    /// Print one JSON object on stdout
    #[arg(long)]
    json: bool,
}

/// Two runs.
#[derive(Serialize)]
struct Comparison {
    runs: [RunRecord; 2],
    /// The second's minus the first's, where both have it.
    differences: BTreeMap<String, f64>,
}

pub async fn run(options: Options) -> Result<()> {
    let tracking = open_tracking(&options.runs.data)?;
    let first = tracking.run(&options.first).await?;
    let second = tracking.run(&options.second).await?;
    let both = first.metrics.iter().filter_map(|(name, value)| {
        let other = second.metrics.get(name)?;
        Some((name.clone(), other - value))
    });
    let comparison = Comparison {
        differences: both.collect(),
        runs: [first, second],
    };
    if options.json {
        println!("{}", serde_json::to_string(&comparison)?);
    } else {
        comparison.print(options.all);
    }
    Ok(())
}

impl Comparison {
    fn print(&self, all: bool) {
        let [first, second] = &self.runs;
        for run in [first, second] {
            println!(
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
            if all || one != two {
                let difference = self.differences.get(name);
                metrics.add_row([
                    Cell::new(name),
                    number(one.copied()),
                    number(two.copied()),
                    number(difference.copied()),
                ]);
            }
        }
        show("metrics", &metrics);
        for (what, one, two) in [
            ("params", &first.params, &second.params),
            ("tags", &first.tags, &second.tags),
        ] {
            let mut rows = table(&[what, &first.name, &second.name]);
            for name in names(one, two) {
                let shown =
                    |map: &BTreeMap<String, String>| map.get(name).cloned().unwrap_or_default();
                // MLflow's own tags speak of how a run is shown.
                if (all || one.get(name) != two.get(name)) && !name.starts_with("mlflow.") {
                    rows.add_row([name.clone(), shown(one), shown(two)]);
                }
            }
            show(what, &rows);
        }
    }
}

fn show(what: &str, table: &comfy_table::Table) {
    if table.row_count() == 0 {
        println!("\n{what}: the same");
    } else {
        println!("\n{table}");
    }
}

fn names<'a, T>(
    one: &'a BTreeMap<String, T>,
    two: &'a BTreeMap<String, T>,
) -> BTreeSet<&'a String> {
    one.keys().chain(two.keys()).collect()
}
