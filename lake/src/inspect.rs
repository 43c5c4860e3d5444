//! Looking at a lake: what `coinlake health` and summaries show.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::{FileName, FileStamp, Lake, LakeError};

/// What a layer holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LayerSummary {
    /// Its name.
    pub layer: String,
    /// Rows in all files.
    pub rows: u64,
    /// How many files.
    pub files: u64,
    /// Their size.
    pub bytes: u64,
    /// By input topic and partition, ascending.
    pub partitions: Vec<PartitionSummary>,
}

/// What a layer holds of one input partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionSummary {
    /// Rows in all files.
    pub rows: u64,
    /// How many files.
    pub files: u64,
    /// The stamp of the newest file: how far the layer is.
    pub newest: FileStamp,
}

impl Lake {
    /// Counts the rows of a layer and finds how far it is. Reads every file's footer.
    ///
    /// # Errors
    /// When the lake cannot be listed or a file not be read.
    pub async fn layer_summary(&self, layer: &str) -> Result<LayerSummary, LakeError> {
        let mut summary = LayerSummary {
            layer: layer.to_owned(),
            ..LayerSummary::default()
        };
        let mut newest_of: Option<FileName> = None;
        for file in self.files(layer).await? {
            let metadata = self.metadata(&file.path).await?;
            let stamp = FileStamp::read(&metadata).map_err(|reason| LakeError::Broken {
                path: format!("{self}/{}", file.path),
                reason,
            })?;
            let rows = u64::try_from(metadata.file_metadata().num_rows()).unwrap_or(0);
            summary.rows += rows;
            summary.files += 1;
            summary.bytes += file.bytes;
            let same = newest_of.as_ref().is_some_and(|before| {
                before.topic == file.name.topic && before.partition == file.name.partition
            });
            match summary.partitions.last_mut() {
                Some(partition) if same => {
                    partition.rows += rows;
                    partition.files += 1;
                    partition.newest = stamp;
                }
                _ => summary.partitions.push(PartitionSummary {
                    rows,
                    files: 1,
                    newest: stamp,
                }),
            }
            newest_of = Some(file.name);
        }
        Ok(summary)
    }

    /// The stamp of a layer's newest file of one input partition: how far that stage is, when it is its main layer.
    ///
    /// # Errors
    /// When the lake cannot be listed or the file not be read.
    pub async fn newest_stamp(
        &self,
        layer: &str,
        topic: &str,
        partition: u32,
    ) -> Result<Option<FileStamp>, LakeError> {
        match self.newest(layer, topic, partition).await? {
            Some(file) => self.stamp(&file.path).await.map(Some),
            None => Ok(None),
        }
    }

    /// How often each value of a string column occurs in a layer; null counts as an empty string.
    ///
    /// # Errors
    /// When a file cannot be read or has no such column.
    pub async fn count_values(
        &self,
        layer: &str,
        column: &str,
    ) -> Result<BTreeMap<String, u64>, LakeError> {
        let mut counts = BTreeMap::new();
        for file in self.files(layer).await? {
            let broken = |reason: String| LakeError::Broken {
                path: format!("{self}/{}", file.path),
                reason,
            };
            let contents = self.read(&file.path).await?;
            let builder = ParquetRecordBatchReaderBuilder::try_new(contents)
                .map_err(|e| broken(e.to_string()))?;
            let mask = ProjectionMask::columns(builder.parquet_schema(), [column]);
            let batches = builder
                .with_projection(mask)
                .build()
                .map_err(|e| broken(e.to_string()))?;
            for batch in batches {
                let batch = batch.map_err(|e| broken(e.to_string()))?;
                let strings = batch
                    .columns()
                    .first()
                    .and_then(|array| array.as_string_opt::<i32>())
                    .ok_or_else(|| broken(format!("it has no string column `{column}`")))?;
                for row in 0..strings.len() {
                    let value = match strings.is_null(row) {
                        true => "",
                        false => strings.value(row),
                    };
                    match counts.get_mut(value) {
                        Some(count) => *count += 1,
                        None => {
                            counts.insert(value.to_owned(), 1);
                        }
                    }
                }
            }
        }
        Ok(counts)
    }
}
