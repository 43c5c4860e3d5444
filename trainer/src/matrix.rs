//! Matrices as rows of inputs, and what stands for an absent one.

use market::model::{INPUTS, Inputs};
use ndarray::Array2;

use crate::forest::FitError;

/// A matrix's rows.
pub(crate) fn rows_of(matrix: &Array2<f64>) -> Result<&[Inputs], FitError> {
    let shape = |problem: String| FitError::Shape(problem);
    if matrix.ncols() != INPUTS.len() {
        let (found, wanted) = (matrix.ncols(), INPUTS.len());
        return Err(shape(format!(
            "they have {found} inputs, models take {wanted}"
        )));
    }
    let values = matrix.as_slice();
    let values = values.ok_or_else(|| shape("the matrix does not lie row by row".into()))?;
    let (rows, _) = values.as_chunks();
    if rows.iter().flatten().any(|input| input.is_infinite()) {
        return Err(shape("an input is infinite".into()));
    }
    Ok(rows)
}

/// What stands for an absent input: the median of those that are there, 0 where none is.
pub(crate) fn fill_of(rows: &[Inputs]) -> Inputs {
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

/// Rows with what is absent replaced.
pub(crate) fn filled(rows: &[Inputs], fill: &Inputs) -> Vec<Inputs> {
    let value = |row: &Inputs, input: usize| match row[input] {
        value if value.is_nan() => fill[input],
        value => value,
    };
    rows.iter()
        .map(|row| std::array::from_fn(|input| value(row, input)))
        .collect()
}
