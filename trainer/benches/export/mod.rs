//! Rows for scikit-learn, as Parquet.

use std::error::Error;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Float64Array, RecordBatch};
use market::model::INPUTS;
use parquet::arrow::ArrowWriter;
use trainer::data::Part;

/// The rows as the models see them, with absent inputs filled if it is said with what; the labels; and our predictions.
pub(crate) fn export(
    part: &Part,
    fill: Option<&[f64]>,
    scores: Option<&[f64]>,
    path: &Path,
) -> Result<(), Box<dyn Error>> {
    let mut columns: Vec<(&str, ArrayRef)> = Vec::new();
    for (input, name) in INPUTS.into_iter().enumerate() {
        let values = part.inputs.iter().map(|row| row[input]);
        let filled = |x: f64| fill.filter(|_| x.is_nan()).map_or(x, |fill| fill[input]);
        let values = values.map(filled);
        columns.push((name, Arc::new(Float64Array::from_iter_values(values))));
    }
    columns.push(("label", Arc::new(BooleanArray::from(part.labels.clone()))));
    if let Some(scores) = scores {
        columns.push(("ours", Arc::new(Float64Array::from(scores.to_vec()))));
    }
    let batch = RecordBatch::try_from_iter(columns)?;
    let mut writer = ArrowWriter::try_new(File::create(path)?, batch.schema(), None)?;
    writer.write(&batch)?;
    writer.close()?;
    Ok(())
}
