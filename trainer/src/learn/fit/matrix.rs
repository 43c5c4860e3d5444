//! Between rows of inputs and linfa's matrices, and the values that stand for absent inputs.

use linfa::dataset::Dataset;
use market::model::{INPUTS, Inputs};
use ndarray::{Array1, Array2, Ix1};

use super::error::FitError;
use crate::data::Part;

/// Rows and labels as linfa takes them.
pub(super) fn dataset_of(part: &Part) -> Dataset<f64, bool, Ix1> {
    let values = part.inputs.as_flattened().to_vec();
    let inputs = Array2::from_shape_vec((part.len(), INPUTS.len()), values)
        .expect("every row has all inputs");
    Dataset::new(inputs, Array1::from(part.labels.clone()))
}

/// A matrix's rows, if it has the models' inputs and no infinite value.
pub(super) fn rows_of(matrix: &Array2<f64>) -> Result<&[Inputs], FitError> {
    let shape = |problem: String| FitError::Shape(problem);
    if matrix.ncols() != INPUTS.len() {
        let (found, wanted) = (matrix.ncols(), INPUTS.len());
        return Err(shape(format!(
            "they have {found} inputs, models take {wanted}"
        )));
    }
    let values = matrix.as_slice();
    let values = values.ok_or_else(|| shape("the matrix is not in row-major order".into()))?;
    let (rows, _) = values.as_chunks();
    if rows.iter().flatten().any(|input| input.is_infinite()) {
        return Err(shape("an input is infinite".into()));
    }
    Ok(rows)
}

/// The value that stands for an absent input: the median of the values present, 0 if there are none.
pub(super) fn fill_of(rows: &[Inputs]) -> Inputs {
    std::array::from_fn(|input| {
        let mut there: Vec<f64> = rows
            .iter()
            .map(|row| row[input])
            .filter(|value| !value.is_nan())
            .collect();
        let middle = there.len() / 2;
        match there.len() {
            0 => 0.0,
            _ => *there.select_nth_unstable_by(middle, f64::total_cmp).1,
        }
    })
}

/// The rows with absent inputs filled.
pub(super) fn filled(rows: &[Inputs], fill: &Inputs) -> Vec<Inputs> {
    let value = |row: &Inputs, input: usize| match row[input] {
        value if value.is_nan() => fill[input],
        value => value,
    };
    rows.iter()
        .map(|row| std::array::from_fn(|input| value(row, input)))
        .collect()
}
