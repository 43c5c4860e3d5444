//! `coinlake lake describe`: columns, properties, size and positions of tables.

use std::collections::BTreeMap;

use anyhow::Result;
use clap::Args;
use indicatif::BinaryBytes;
use lake::{Column, Snapshot, Summary};
use serde::Serialize;

use super::target::LakeArgs;
use crate::commands::table::{table, time};
use crate::counted::counted;

#[derive(Args)]
pub(crate) struct DescribeArgs {
    #[command(flatten)]
    pub(super) target: LakeArgs,
    /// Print the tables as a JSON object on stdout
    #[arg(long)]
    json: bool,
}

/// What `--json` prints of a table. Scripts rely on it: fields are added, never renamed or removed.
#[derive(Serialize)]
struct Description {
    table: String,
    comment: String,
    columns: Vec<Column>,
    properties: BTreeMap<String, String>,
    #[serde(flatten)]
    summary: Summary,
    version: u64,
    /// The first and the last day with rows, `YYYY-MM-DD` in UTC; `None` for a table without days.
    dates: Option<(String, String)>,
}

pub(super) async fn run(args: DescribeArgs) -> Result<()> {
    let lake = args.target.open()?;
    let mut descriptions = Vec::new();
    for table in args.target.tables(&lake).await? {
        let snapshot = table.snapshot().await?;
        descriptions.extend(snapshot.as_ref().map(Description::of));
    }
    if args.json {
        let all = serde_json::json!({ "lake": args.target.address()?, "tables": descriptions });
        outln!("{all}");
        return Ok(());
    }
    for description in &descriptions {
        description.print();
    }
    Ok(())
}

impl Description {
    fn of(snapshot: &Snapshot) -> Self {
        let spec = snapshot.spec();
        let dates = || snapshot.files().iter().filter_map(|file| file.date.clone());
        Self {
            table: snapshot.table().name().to_owned(),
            comment: spec.description.clone(),
            columns: spec.columns.clone(),
            properties: snapshot.properties().clone(),
            summary: snapshot.summary(),
            version: snapshot.version(),
            dates: dates().min().zip(dates().max()),
        }
    }

    fn print(&self) {
        outln!("{}: {}", self.table, self.comment);
        let mut columns = table(&["column", "type", "null", "comment"]);
        for column in &self.columns {
            let null = if column.nullable { "yes" } else { "no" };
            columns.add_row([&column.name, &column.kind, null, &column.comment]);
        }
        outln!("{columns}");
        let Summary {
            rows, files, bytes, ..
        } = self.summary;
        let size = BinaryBytes(bytes).to_string();
        outln!(
            "{} in {}, {size}, at version {}",
            counted(rows, "row"),
            counted(files, "file"),
            self.version
        );
        if let Some((first, last)) = &self.dates {
            outln!("days {first} to {last}");
        }
        for (name, value) in &self.properties {
            outln!("{name} = {value}");
        }
        for place in &self.summary.places {
            outln!(
                "{} has committed through offset {}, at {} UTC",
                place.app,
                place.last_offset,
                time(place.committed_at_ms)
            );
        }
        outln!("");
    }
}
