//! `coinlake lake history`: what was committed to tables.

use anyhow::Result;
use clap::Args;
use lake::HistoryEntry;
use serde::Serialize;

use super::target::LakeArgs;
use crate::commands::table::{table, time};

#[derive(Args)]
pub(crate) struct HistoryArgs {
    #[command(flatten)]
    pub(super) target: LakeArgs,
    /// How many of the newest entries of each table to show; those that upkeep has removed are gone
    #[arg(long, value_name = "N", default_value = "20")]
    last: usize,
    /// Print the entries as a JSON object on stdout
    #[arg(long)]
    json: bool,
}

/// Its JSON form is an interface that scripts rely on.
#[derive(Serialize)]
struct History {
    table: String,
    /// The newest first.
    entries: Vec<HistoryEntry>,
}

pub(super) async fn run(args: HistoryArgs) -> Result<()> {
    let lake = args.target.open()?;
    let mut histories = Vec::new();
    for table in args.target.tables(&lake).await? {
        let entries = table.history(args.last).await?;
        histories.push(History {
            table: table.name().to_owned(),
            entries: entries.unwrap_or_default(),
        });
    }
    if args.json {
        let all = serde_json::json!({ "lake": args.target.address()?, "tables": histories });
        outln!("{all}");
        return Ok(());
    }
    for history in &histories {
        outln!("{}", history.table);
        history.print();
    }
    Ok(())
}

impl History {
    fn print(&self) {
        let columns = [
            "version",
            "time (UTC)",
            "operation",
            "by",
            "added",
            "removed",
            "rows",
            "rows in all",
        ];
        let mut lines = table(&columns);
        for entry in &self.entries {
            let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
            lines.add_row([
                entry.version.to_string(),
                time(entry.at_ms),
                entry.operation.clone(),
                or_none(entry.app.clone()),
                entry.added_files.to_string(),
                entry.removed_files.to_string(),
                entry.added_rows.to_string(),
                or_none(entry.rows.map(|rows| rows.to_string())),
            ]);
        }
        outln!("{lines}");
    }
}
