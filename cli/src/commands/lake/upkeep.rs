//! `coinlake lake optimize`, `vacuum`, `expire` and `upkeep`.

use std::time::Duration;

use anyhow::{Result, bail};
use bytesize::ByteSize;
use clap::Args;
use connector_runtime::process::{log, shutdown};
use indicatif::BinaryBytes;
use jiff::Timestamp;
use lake::upkeep::{Expired, Extent, Optimized, Upkeep, UpkeepError, Vacuumed};
use lake::{Lake, Table};
use parquet_sink::config::{FILE_SIZE_MIN, KEEP_MIN};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::progress::Progress;
use super::target::LakeArgs;
use crate::commands::table::table;

#[derive(Args)]
pub(crate) struct UpkeepArgs {
    #[command(flatten)]
    pub(super) target: LakeArgs,
    /// Change nothing; say what would be done
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Print the result as a JSON object on stdout
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Args)]
pub(crate) struct OptimizeArgs {
    #[command(flatten)]
    pub(super) common: UpkeepArgs,
    /// Size of a full file, such as 64MiB, at least 1MiB [default: the table's, which is 128MiB unless its stage sets another]
    #[arg(long, value_name = "SIZE", value_parser = full_size)]
    file_size: Option<ByteSize>,
}

#[derive(Args)]
pub(crate) struct ExpireArgs {
    #[command(flatten)]
    pub(super) common: UpkeepArgs,
    /// Keep rows this long, such as 90d, at least 1d; whole days go [default: what the table keeps, which is everything unless its
    /// stage sets a time]
    #[arg(long, value_name = "DURATION", value_parser = whole_days)]
    keep: Option<Duration>,
}

fn full_size(text: &str) -> Result<ByteSize, String> {
    let size: ByteSize = text.parse()?;
    match size >= FILE_SIZE_MIN {
        true => Ok(size),
        false => Err("must be at least 1MiB".to_owned()),
    }
}

fn whole_days(text: &str) -> Result<Duration, String> {
    let keep = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    match keep >= KEEP_MIN {
        true => Ok(keep),
        false => Err("must be at least 1d: rows go by whole days".to_owned()),
    }
}

impl UpkeepArgs {
    /// The lake, which a dry run only looks at.
    pub(super) fn open(&self) -> Result<Lake> {
        match self.dry_run {
            true => self.target.open(),
            false => self.target.open_to_write(),
        }
    }
}

/// Its JSON form is an interface that scripts rely on. A command that does one thing gives one list.
#[derive(Default, Serialize)]
struct Report {
    lake: String,
    dry_run: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    expired: Vec<Expired>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    optimized: Vec<Optimized>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    vacuumed: Vec<Vacuumed>,
}

pub(super) async fn optimize(args: OptimizeArgs) -> Result<()> {
    let mut work = Work::new(&args.common)?;
    let tables = args.common.target.tables(&work.lake).await?;
    let worked = work.optimize(&tables, args.file_size).await;
    work.end(worked, args.common.json)
}

pub(super) async fn expire(args: ExpireArgs) -> Result<()> {
    let mut work = Work::new(&args.common)?;
    let tables = args.common.target.tables(&work.lake).await?;
    let worked = work.expire(&tables, args.keep).await;
    work.end(worked, args.common.json)
}

pub(super) async fn vacuum(args: UpkeepArgs) -> Result<()> {
    let mut work = Work::new(&args)?;
    let tables = args.target.tables(&work.lake).await?;
    let worked = work.vacuum(&tables, &args.target).await;
    work.end(worked, args.json)
}

pub(super) async fn all(args: UpkeepArgs) -> Result<()> {
    let mut work = Work::new(&args)?;
    if args.target.names().is_empty() && work.lake.tables().await?.is_empty() {
        // The stages have not committed yet.
        return work.end(Ok(()), args.json);
    }
    let tables = args.target.tables(&work.lake).await?;
    let worked = match work.keep(&tables).await {
        Ok(()) => work.vacuum(&tables, &args.target).await,
        stopped => stopped,
    };
    work.end(worked, args.json)
}

/// It was interrupted.
struct Stopped;

/// One command at work.
struct Work {
    lake: Lake,
    report: Report,
    /// Tables that something failed for, and what.
    failed: Vec<String>,
    stop: CancellationToken,
}

impl Work {
    fn new(args: &UpkeepArgs) -> Result<Self> {
        Ok(Self {
            lake: args.open()?,
            report: Report {
                lake: args.target.address()?,
                dry_run: args.dry_run,
                ..Report::default()
            },
            failed: Vec::new(),
            stop: shutdown::on_signal(),
        })
    }

    fn upkeep(&self, table: &str) -> (Upkeep, Progress) {
        let progress = Progress::of(table);
        let upkeep = Upkeep::at(Timestamp::now().as_millisecond())
            .dry_run(self.report.dry_run)
            .watch(progress.watch(self.stop.clone()));
        (upkeep, progress)
    }

    /// What was done, if it did not fail: the other tables are no worse for it.
    fn done<T>(
        &mut self,
        table: &str,
        result: Result<T, UpkeepError>,
    ) -> Result<Option<T>, Stopped> {
        match result {
            Ok(done) => Ok(Some(done)),
            Err(UpkeepError::Stopped) => Err(Stopped),
            Err(error) => {
                let failed = format!("{table}: {error}");
                // Vacuum may fail for the reason that all before it did.
                if !self.failed.contains(&failed) {
                    self.failed.push(failed);
                }
                Ok(None)
            }
        }
    }

    async fn optimize(
        &mut self,
        tables: &[Table],
        file_size: Option<ByteSize>,
    ) -> Result<(), Stopped> {
        for table in tables {
            let (upkeep, progress) = self.upkeep(table.name());
            let upkeep = upkeep.file_bytes(file_size.map(|size| size.0));
            let optimized = upkeep.optimize(table).await;
            let optimized = self.done(table.name(), optimized)?;
            self.report.optimized.extend(optimized.flatten());
            progress.finish();
        }
        Ok(())
    }

    async fn expire(&mut self, tables: &[Table], keep: Option<Duration>) -> Result<(), Stopped> {
        for table in tables {
            let (upkeep, progress) = self.upkeep(table.name());
            let expired = upkeep.expire(table, keep).await;
            let expired = self.done(table.name(), expired)?;
            self.report.expired.extend(expired.flatten());
            progress.finish();
        }
        Ok(())
    }

    async fn keep(&mut self, tables: &[Table]) -> Result<(), Stopped> {
        for table in tables {
            let (upkeep, progress) = self.upkeep(table.name());
            let kept = upkeep.keep(table).await;
            if let Some(kept) = self.done(table.name(), kept)?.flatten() {
                self.report.expired.push(kept.expired);
                self.report.optimized.push(kept.optimized);
            }
            progress.finish();
        }
        Ok(())
    }

    async fn vacuum(&mut self, tables: &[Table], target: &LakeArgs) -> Result<(), Stopped> {
        for table in tables {
            let (upkeep, progress) = self.upkeep(table.name());
            let vacuumed = upkeep.vacuum(table).await;
            let vacuumed = self.done(table.name(), vacuumed)?;
            self.report.vacuumed.extend(vacuumed.flatten());
            progress.finish();
        }
        if target.names().is_empty() {
            let what = "temporary files";
            let (upkeep, progress) = self.upkeep(what);
            let vacuumed = upkeep.vacuum_temporary(&self.lake).await;
            let vacuumed = self.done(what, vacuumed)?;
            self.report.vacuumed.extend(vacuumed);
            progress.finish();
        }
        Ok(())
    }

    /// Prints what was done, whatever failed and even if it was stopped.
    fn end(mut self, worked: Result<(), Stopped>, json: bool) -> Result<()> {
        if let Err(Stopped) = worked {
            self.failed.push(UpkeepError::Stopped.to_string());
        }
        match json {
            true => outln!("{}", serde_json::to_string(&self.report)?),
            false => self.report.print(self.failed.is_empty()),
        }
        match self.failed.is_empty() {
            true => Ok(()),
            false => bail!("{}", self.failed.join("; ")),
        }
    }
}

impl Report {
    fn print(&self, is_complete: bool) {
        let removed = if self.dry_run {
            "would remove"
        } else {
            "removed"
        };
        log::say(&format!("lake {}", self.lake));
        for expired in &self.expired {
            if let Some((first, last)) = &expired.dates {
                let what = extent(&expired.removed);
                outln!(
                    "{}: {removed} the days {first} to {last}, {what}",
                    expired.table
                );
            }
            given_up(&expired.table, expired.given_up.as_deref());
        }
        if !self.optimized.is_empty() {
            let mut lines = table(&["table", "files", "merged", "into", "size", "rows"]);
            for optimized in &self.optimized {
                let merged = match self.dry_run {
                    true => optimized.planned,
                    false => optimized.rewritten,
                };
                let into = match self.dry_run {
                    true => "-".to_owned(),
                    false => optimized.written.files.to_string(),
                };
                lines.add_row([
                    optimized.table.clone(),
                    format!("{} to {}", optimized.before.files, optimized.after.files),
                    merged.files.to_string(),
                    into,
                    format!(
                        "{} to {}",
                        size(optimized.before.bytes),
                        size(optimized.after.bytes)
                    ),
                    optimized.after.rows.to_string(),
                ]);
            }
            outln!("{lines}");
        }
        for optimized in &self.optimized {
            given_up(&optimized.table, optimized.given_up.as_deref());
        }
        let is_nothing = |extent: &Extent| extent.files == 0;
        let has_no_old = |it: &Expired| is_nothing(&it.removed) && it.given_up.is_none();
        if is_complete && !self.expired.is_empty() && self.expired.iter().all(has_no_old) {
            outln!("no table has rows that are older than it keeps, counted from its newest");
        }
        let mut found = false;
        for vacuumed in &self.vacuumed {
            let (data, log) = (vacuumed.data, vacuumed.log);
            if is_nothing(&data) && is_nothing(&log) {
                continue;
            }
            found = true;
            outln!(
                "{}: {removed} {} data files ({}) and {} files of the log ({})",
                vacuumed.table,
                data.files,
                size(data.bytes),
                log.files,
                size(log.bytes)
            );
        }
        if is_complete && !found && !self.vacuumed.is_empty() {
            outln!("no file has been unreferenced for a day");
        }
    }
}

fn given_up(table: &str, reason: Option<&str>) {
    if let Some(reason) = reason {
        outln!("{table}: left for the next time: {reason}");
    }
}

fn extent(extent: &Extent) -> String {
    format!(
        "{} files with {} rows, {}",
        extent.files,
        extent.rows,
        size(extent.bytes)
    )
}

fn size(bytes: u64) -> String {
    BinaryBytes(bytes).to_string()
}
