//! The tables of a stage, and what a cut adds to them.

use std::sync::Arc;

use lake::{Lake, LakeError, NewFile, TableSpec, TableWriter};

use crate::config::Layer;
use crate::encode::schema::LayerSchema;
use crate::encode::{CutFile, SealedFile};

/// A table that this stage writes. All its partitions share it.
pub(crate) struct StageTable {
    /// What its files look like.
    pub schema: Arc<LayerSchema>,
    /// Makes entries in its log.
    pub writer: TableWriter,
}

/// What a cut adds to the tables of a stage.
pub(crate) struct Cut {
    /// The files of each table, the main table's first. Those without a row in the cut have none.
    pub tables: Vec<Vec<CutFile>>,
    /// Rows in all of them.
    pub rows: u64,
}

impl StageTable {
    /// Opens a table for writing: creates it, or adds its new columns.
    ///
    /// # Errors
    /// When the lake fails, or the table has another schema.
    pub(crate) async fn open(lake: &Lake, layer: &Layer) -> Result<Self, LakeError> {
        let spec = table_spec(layer).expect("the plan checked the columns");
        Ok(Self {
            writer: lake.table(&layer.name).writer(&spec).await?,
            schema: Arc::new(LayerSchema::new(layer)),
        })
    }

    /// Writes a data file, which no one sees before an entry names it.
    pub(super) async fn put(&self, file: &SealedFile) -> Result<NewFile, LakeError> {
        let date = file.date.as_deref();
        let table = self.writer.table();
        table.put(&file.name, date, file.contents.clone()).await
    }
}

/// What the table of a layer looks like.
///
/// # Errors
/// A phrase, when a column cannot be a table's.
pub fn table_spec(layer: &Layer) -> Result<TableSpec, String> {
    let schema = LayerSchema::new(layer).with_comments();
    let comment = layer.comment.as_deref().unwrap_or_default();
    Ok(TableSpec {
        keep: layer.keep,
        file_bytes: layer.file_size.map(|size| size.0),
        ..TableSpec::new(&schema, comment, sort(layer))?
    })
}

/// The order of rows in files that upkeep writes: by what people look up, then by time.
fn sort(layer: &Layer) -> Vec<String> {
    let keys = layer
        .columns
        .iter()
        .filter(|column| column.bloom && column.name != layer.date);
    let keys = keys.map(|column| column.name.clone());
    keys.chain([layer.date.clone()]).collect()
}
