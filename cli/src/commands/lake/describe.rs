//! `coinlake lake describe`: columns, properties, size and positions of tables.

use std::collections::BTreeMap;

use anyhow::Result;
use clap::Args;
use indicatif::BinaryBytes;
use lake::{Column, Snapshot, Summary};
use serde::Serialize;

use super::target::LakeArgs;
use crate::commands::table::{table, time};

#[derive(Args)]
pub(crate) struct DescribeArgs {
    #[command(flatten)]
    pub(super) target: LakeArgs,
    /// Print the tables as a JSON object on stdout
    #[arg(long)]
    json: bool,
}

/// Its JSON form is an interface that scripts rely on.
#[derive(Serialize)]
struct Description {
    table: String,
    comment: String,
    columns: Vec<Column>,
    properties: BTreeMap<String, String>,
    #[serde(flatten)]
    summary: Summary,
    version: u64,
    /// The first and the last day.
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
        println!("{all}");
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
        let mut dates = snapshot.files().iter().filter_map(|file| file.date.clone());
        let first = dates.next();
        let last = dates.next_back().or_else(|| first.clone());
        Self {
            table: snapshot.table().name().to_owned(),
            comment: spec.description.clone(),
            columns: spec.columns.clone(),
            properties: snapshot.properties().clone(),
            summary: snapshot.summary(),
            version: snapshot.version(),
            dates: first.zip(last),
        }
    }

    fn print(&self) {
        println!("{}: {}", self.table, self.comment);
        let mut columns = table(&["column", "type", "null", "comment"]);
        for column in &self.columns {
            let null = if column.nullable { "yes" } else { "no" };
            columns.add_row([&column.name, &column.kind, null, &column.comment]);
        }
        println!("{columns}");
        let Summary {
            rows, files, bytes, ..
        } = self.summary;
        let size = BinaryBytes(bytes).to_string();
        println!(
            "{rows} rows in {files} files, {size}, at version {}",
            self.version
        );
        if let Some((first, last)) = &self.dates {
            println!("days {first} to {last}");
        }
        for (name, value) in &self.properties {
            println!("{name} = {value}");
        }
        for place in &self.summary.places {
            println!(
                "{} has committed up to offset {}, at {} UTC",
                place.app,
                place.last_offset,
                time(place.committed_at_ms)
            );
        }
        println!();
    }
}
