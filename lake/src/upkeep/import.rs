//! A layer of the releases before tables becomes a table, in the folder in which it is.
//!
//! Always true: the table begins with the entry that names all rows and the stages' positions; before it there is no table.
//! So an import that was killed is begun again, and the files that it left are vacuum's. The former files stay for a day.

use std::collections::BTreeMap;

use serde::Serialize;

use super::error::UpkeepError;
use super::former::{self, FormerName};
use super::order::Order;
use super::rewrite::Input;
use super::shape::Shape;
use super::watch::Step;
use super::{Extent, Upkeep};
use crate::error::LakeError;
use crate::lake::{Lake, Listed};
use crate::table::{CommitStamp, NewFile, Table, TableSpec};

/// So much of a day is read at a time.
const CHUNK_BYTES: u64 = 512 << 20;

/// What becomes a table.
#[derive(Debug, Clone)]
pub struct FormerLayer {
    /// What the table looks like.
    pub spec: TableSpec,
    /// The timestamp column whose day is a row's date.
    pub date: String,
    /// The stage that goes on writing it.
    pub stage: String,
}

/// What import did, or would do.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Imported {
    /// The table.
    pub table: String,
    /// The former files. Their rows are not counted.
    pub former: Extent,
    /// The files of the table.
    pub written: Extent,
    /// Where the stage goes on, by partition of its input: `stage/topic/partition` and the last offset.
    pub positions: BTreeMap<String, i64>,
}

impl Upkeep {
    /// Makes a table of a layer of the releases before; `None` when there is none, or it is a table already.
    ///
    /// # Errors
    /// When the lake fails, it is stopped, or a file is not what it must be. There is no table then.
    pub async fn import(
        &self,
        table: &Table,
        layer: &FormerLayer,
    ) -> Result<Option<Imported>, UpkeepError> {
        let lake = table.lake();
        if table.summary().await?.is_some() {
            return Ok(None);
        }
        let files = former_files(table).await?;
        if files.is_empty() {
            return Ok(None);
        }
        let mut report = Imported {
            table: table.name().to_owned(),
            former: files.iter().map(|(_, file)| Extent::from(file)).sum(),
            written: Extent::default(),
            positions: BTreeMap::new(),
        };
        let stamps = stamps(lake, &files, &layer.stage).await?;
        for stamp in &stamps {
            report
                .positions
                .insert(stamp.app.to_string(), stamp.last_offset);
        }
        self.watch.step(Step::FilesPlanned(report.former.files))?;
        if self.dry_run {
            return Ok(Some(report));
        }
        lake.check_exclusive_creation().await?;
        let mut added = Vec::new();
        for chunk in chunks(&files, CHUNK_BYTES) {
            self.convert(table, layer, chunk, &mut added).await?;
        }
        if former_files(table).await? != files {
            let reason = "files came while it was imported: stop the stages of the release before";
            return Err(lake.broken(table.name(), reason).into());
        }
        report.written = Extent::of(&added);
        if !table
            .create_with(&layer.spec, stamps, added, self.now_ms)
            .await?
        {
            let reason = "another process made it a table meanwhile";
            return Err(lake.broken(table.name(), reason).into());
        }
        self.watch.step(Step::EntryMade)?;
        Ok(Some(report))
    }

    async fn convert(
        &self,
        table: &Table,
        layer: &FormerLayer,
        files: &[(FormerName, Listed)],
        added: &mut Vec<NewFile>,
    ) -> Result<(), UpkeepError> {
        let broken = |reason: String| table.lake().broken(table.name(), reason);
        let inputs = files.iter().map(|(_, file)| Input {
            path: file.path.clone(),
            rows: None,
            is_sorted: false,
        });
        let shape = Shape {
            schema: layer.spec.arrow_schema().map_err(broken)?,
            renamed: former::RENAMED,
        };
        let order = Order {
            columns: layer.spec.sort.clone(),
            day: Some(layer.date.clone()),
        };
        let file_bytes = self.file_bytes_of(&layer.spec);
        let outputs = self.rewrite(table, inputs.collect(), shape, order, file_bytes);
        for output in outputs.await? {
            let date = output.date;
            let file = table.put_file("sorted", date.as_deref(), output.path, &output.metadata);
            added.push(NewFile {
                sorted_by: Some(layer.spec.sort.join(",")),
                ..file.await?
            });
            self.watch.step(Step::FilePut)?;
        }
        self.watch.step(Step::FilesRead(files.len() as u64))?;
        Ok(())
    }
}

/// The files of before, in the order of their days, and in a day in that of their names.
async fn former_files(table: &Table) -> Result<Vec<(FormerName, Listed)>, LakeError> {
    let listed = table.lake().list(table.name(), None).await?;
    let named = listed
        .into_iter()
        .filter_map(|file| Some((FormerName::parse(&file.path)?, file)));
    let mut files: Vec<(FormerName, Listed)> = named.collect();
    files.sort_by(|a, b| (folder(&a.1), &a.0).cmp(&(folder(&b.1), &b.0)));
    Ok(files)
}

fn folder(file: &Listed) -> &str {
    file.path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// The files of each day, or as many of them as are read at a time.
fn chunks(
    files: &[(FormerName, Listed)],
    bytes_max: u64,
) -> impl Iterator<Item = &[(FormerName, Listed)]> {
    let mut bytes = 0;
    files.chunk_by(move |a, b| {
        bytes += a.1.bytes;
        let goes_on = folder(&a.1) == folder(&b.1) && bytes + b.1.bytes <= bytes_max;
        if !goes_on {
            bytes = 0;
        }
        goes_on
    })
}

/// The stamps of the newest file of each input partition.
async fn stamps(
    lake: &Lake,
    files: &[(FormerName, Listed)],
    stage: &str,
) -> Result<Vec<CommitStamp>, LakeError> {
    let mut newest: BTreeMap<(&str, u32), &(FormerName, Listed)> = BTreeMap::new();
    for file in files {
        let of_partition = newest
            .entry((&file.0.topic, file.0.partition))
            .or_insert(file);
        if file.0 > of_partition.0 {
            *of_partition = file;
        }
    }
    let mut stamps = Vec::new();
    for (_, file) in newest.into_values() {
        let metadata = lake.metadata(&file.path).await?;
        let stamp = former::stamp(&metadata, stage);
        stamps.push(stamp.map_err(|reason| lake.broken(&file.path, reason))?);
    }
    Ok(stamps)
}
