//! Between rows of inputs and linfa's matrices, and the values that stand for absent inputs.

use market::model::{INPUTS, Inputs};
use ndarray::Array2;

use super::error::FitError;

/// A matrix's rows, if it has the models' inputs.
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
    Ok(rows)
}

/// Refuses infinite values.
pub(super) fn check(rows: &[Inputs]) -> Result<(), FitError> {
    if rows.iter().flatten().any(|input| input.is_infinite()) {
        return Err(FitError::Shape("an input is infinite".into()));
    }
    Ok(())
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
