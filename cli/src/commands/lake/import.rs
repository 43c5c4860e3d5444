//! `coinlake lake import`: makes tables of a lake that a release before tables wrote.

use anyhow::{Result, anyhow, bail};
use clap::Args;
use connector_runtime::process::{log, shutdown};
use indicatif::BinaryBytes;
use jiff::Timestamp;
use lake::upkeep::{FormerLayer, Imported, Upkeep};
use parquet_sink::table_spec;
use serde::Serialize;

use super::progress::Progress;
use super::target::LakeArgs;
use super::upkeep::UpkeepArgs;
use crate::assets;

#[derive(Args)]
pub(crate) struct ImportArgs {
    #[command(flatten)]
    pub(super) common: UpkeepArgs,
}

/// Its JSON form is an interface that scripts rely on.
#[derive(Serialize)]
struct Report {
    lake: String,
    dry_run: bool,
    imported: Vec<Imported>,
}

pub(super) async fn run(args: ImportArgs) -> Result<()> {
    let args = args.common;
    let lake = args.open()?;
    let stop = shutdown::on_signal();
    let mut report = Report {
        lake: args.target.address()?,
        dry_run: args.dry_run,
        imported: Vec::new(),
    };
    for (name, layer) in layers(&args.target)? {
        let progress = Progress::of(&name);
        let imported = Upkeep::at(Timestamp::now().as_millisecond())
            .dry_run(args.dry_run)
            .watch(progress.watch(stop.clone()))
            .import(&lake.table(&name), &layer)
            .await;
        progress.finish();
        report.imported.extend(imported?);
    }
    if args.json {
        outln!("{}", serde_json::to_string(&report)?);
        return Ok(());
    }
    report.print();
    Ok(())
}

/// The layers that the shipped stages write, as tables.
fn layers(target: &LakeArgs) -> Result<Vec<(String, FormerLayer)>> {
    let mut layers = Vec::new();
    for stage in assets::stages()? {
        for destination in &stage.settings.destinations {
            let Some(layer) = &destination.layer else {
                continue;
            };
            let former = FormerLayer {
                spec: table_spec(layer)
                    .map_err(|problem| anyhow!("layer {}: {problem}", layer.name))?,
                date: layer.date.clone(),
                stage: stage.meta.name.clone(),
            };
            layers.push((layer.name.clone(), former));
        }
    }
    let wanted = target.names();
    let is_known = |name: &&String| layers.iter().any(|(known, _)| known == *name);
    if let Some(unknown) = wanted.iter().find(|name| !is_known(name)) {
        bail!("no shipped stage writes a table `{unknown}`");
    }
    layers.retain(|(name, _)| wanted.is_empty() || wanted.contains(name));
    Ok(layers)
}

impl Report {
    fn print(&self) {
        if self.imported.is_empty() {
            outln!("there is nothing to import in {}", self.lake);
            return;
        }
        for imported in &self.imported {
            let (former, written) = (imported.former, imported.written);
            let size = |bytes| BinaryBytes(bytes).to_string();
            let files = format!(
                "{}: {} files ({})",
                imported.table,
                former.files,
                size(former.bytes)
            );
            match self.dry_run {
                true => outln!("{files} would become a table"),
                false => outln!(
                    "{files} became a table of {} files ({}) with {} rows",
                    written.files,
                    size(written.bytes),
                    written.rows
                ),
            }
            for (app, last_offset) in &imported.positions {
                outln!("  {app} goes on after offset {last_offset}");
            }
        }
        if !self.dry_run {
            log::say(
                "the former files stay where they are for a day; then `coinlake lake vacuum` removes them, as `up` does",
            );
        }
    }
}
