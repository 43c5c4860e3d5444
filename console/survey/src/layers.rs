//! How large the layers of the lake are.

use std::collections::HashMap;

use anyhow::Result;
use lake::{DataFile, Lake};

use crate::report::LakeLayer;

/// Reads layers, and remembers the row count of every file: files never change.
pub(crate) struct LayerReader {
    pub lake: Lake,
    rows_by_path: HashMap<String, u64>,
}

impl LayerReader {
    pub(crate) fn new(lake: Lake) -> Self {
        Self {
            lake,
            rows_by_path: HashMap::new(),
        }
    }

    /// Sums up the layer `name`, which consists of `files`.
    pub(crate) async fn sum(&mut self, name: &str, files: &[DataFile]) -> Result<LakeLayer> {
        let mut layer = LakeLayer {
            name: name.to_owned(),
            rows: 0,
            files: files.len() as u64,
            bytes: 0,
        };
        for file in files {
            layer.rows += self.rows(&file.path).await?;
            layer.bytes += file.bytes;
        }
        Ok(layer)
    }

    async fn rows(&mut self, path: &str) -> Result<u64> {
        if let Some(rows) = self.rows_by_path.get(path) {
            return Ok(*rows);
        }
        let metadata = self.lake.metadata(path).await?;
        let rows = u64::try_from(metadata.file_metadata().num_rows()).unwrap_or(0);
        self.rows_by_path.insert(path.to_owned(), rows);
        Ok(rows)
    }
}
