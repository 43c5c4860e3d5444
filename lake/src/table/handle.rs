//! A table by its name, and its data files.

use bytes::Bytes;
use jiff::Timestamp;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use tempfile::TempPath;

use super::stats::FileStats;
use super::transaction::NewFile;
use crate::error::LakeError;
use crate::lake::Lake;
use crate::log::entry::Log;

/// A table of a lake, whether it exists or not. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Table {
    log: Log,
}

impl Table {
    pub(crate) fn new(lake: &Lake, name: &str) -> Self {
        Self {
            log: Log {
                lake: lake.clone(),
                table: name.to_owned(),
            },
        }
    }

    /// Its name, which is that of its folder in the lake.
    pub fn name(&self) -> &str {
        &self.log.table
    }

    /// The lake it is in.
    pub fn lake(&self) -> &Lake {
        &self.log.lake
    }

    pub(crate) fn log(&self) -> &Log {
        &self.log
    }

    /// Writes a data file of the table, durable and seen by nobody until an entry names it. A random part makes its name
    /// unique.
    ///
    /// # Errors
    /// When it cannot be written, or is not Parquet.
    pub async fn put(
        &self,
        name: &str,
        date: Option<&str>,
        contents: Bytes,
    ) -> Result<NewFile, LakeError> {
        let path = unique_path(name, date);
        let in_lake = format!("{}/{path}", self.name());
        let metadata = ParquetMetaDataReader::new().parse_and_finish(&contents);
        let metadata = metadata.map_err(|error| self.lake().broken(&in_lake, error))?;
        let bytes = contents.len() as u64;
        self.lake().put(&in_lake, contents).await?;
        Ok(new_file(path, date, bytes, &metadata))
    }

    /// Like [`Table::put`], with the contents in a local file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) async fn put_file(
        &self,
        name: &str,
        date: Option<&str>,
        file: TempPath,
        metadata: &ParquetMetaData,
    ) -> Result<NewFile, LakeError> {
        let path = unique_path(name, date);
        let in_lake = format!("{}/{path}", self.name());
        let size = std::fs::metadata(&file).map(|metadata| metadata.len());
        let bytes = size.map_err(|error| self.lake().temporary_error(&error))?;
        self.lake().put_file(&in_lake, file).await?;
        Ok(new_file(path, date, bytes, metadata))
    }
}

/// Where a file of these rows lies, relative to the table.
fn unique_path(name: &str, date: Option<&str>) -> String {
    // The name of the folder of rows without a date is Hive's.
    let folder = date.unwrap_or("__HIVE_DEFAULT_PARTITION__");
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let name = name.replace(|c| !plain(c), "_");
    let unique: u64 = rand::random();
    format!("date={folder}/{name}-{unique:016x}.parquet")
}

/// A file that was written just now.
fn new_file(path: String, date: Option<&str>, bytes: u64, metadata: &ParquetMetaData) -> NewFile {
    let stats = FileStats::of_footer(metadata);
    let now_ms = Timestamp::now().as_millisecond();
    NewFile {
        path,
        date: date.map(str::to_owned),
        bytes,
        rows: stats.num_records.unwrap_or(0),
        written_ms: now_ms,
        added_ms: now_ms,
        sorted_by: None,
        stats,
    }
}
