//! Counting what a layer holds.

use crate::error::LakeError;
use crate::file::FileName;
use crate::lake::Lake;
use crate::stamp::FileStamp;

/// What a layer holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LayerSummary {
    /// The layer's name.
    pub layer: String,
    /// Rows in all files.
    pub rows: u64,
    /// Number of files.
    pub files: u64,
    /// Size of all files.
    pub bytes: u64,
    /// By input topic and partition, ascending.
    pub partitions: Vec<PartitionSummary>,
}

/// What a layer holds of one input partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionSummary {
    /// Rows in all files.
    pub rows: u64,
    /// Number of files.
    pub files: u64,
    /// The stamp of the newest file: up to which input the layer is written.
    pub newest: FileStamp,
}

impl Lake {
    /// Counts the rows and files of a layer. Reads the footer of every file.
    ///
    /// # Errors
    /// When the lake cannot be listed or a file cannot be read.
    pub async fn layer_summary(&self, layer: &str) -> Result<LayerSummary, LakeError> {
        let mut summary = LayerSummary {
            layer: layer.to_owned(),
            ..LayerSummary::default()
        };
        let mut previous: Option<FileName> = None;
        for file in self.files(layer).await? {
            let metadata = self.metadata(&file.path).await?;
            let stamp = FileStamp::from_metadata(&metadata)
                .map_err(|reason| self.broken(&file.path, reason))?;
            let rows = u64::try_from(metadata.file_metadata().num_rows()).unwrap_or(0);
            summary.rows += rows;
            summary.files += 1;
            summary.bytes += file.bytes;
            let same_partition = previous.as_ref().is_some_and(|previous| {
                previous.topic == file.name.topic && previous.partition == file.name.partition
            });
            match summary.partitions.last_mut() {
                Some(partition) if same_partition => {
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
            previous = Some(file.name);
        }
        Ok(summary)
    }
}
