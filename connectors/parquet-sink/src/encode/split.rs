//! One batch of rows, taken apart by their dates.

use std::collections::BTreeMap;

use arrow_array::{RecordBatch, UInt32Array};
use arrow_select::take::take_record_batch;

/// The rows of each day, in their order. `days` has the day of each row.
pub(super) fn by_day(batch: RecordBatch, days: &[Option<i32>]) -> Vec<(Option<i32>, RecordBatch)> {
    let Some(first) = days.first() else {
        return Vec::new();
    };
    if days.iter().all(|day| day == first) {
        return vec![(*first, batch)];
    }
    let mut rows: BTreeMap<Option<i32>, Vec<u32>> = BTreeMap::new();
    for (row, day) in (0..).zip(days) {
        rows.entry(*day).or_default().push(row);
    }
    let parts = rows.into_iter().map(|(day, rows)| {
        let part = take_record_batch(&batch, &UInt32Array::from(rows));
        (day, part.expect("there is a day for each row"))
    });
    parts.collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::cast::AsArray;
    use arrow_array::types::Int64Type;
    use arrow_array::{ArrayRef, Int64Array};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_row_comes_once_with_its_day(days in prop::collection::vec(prop::option::of(-2..2), 0..50)) {
            let rows: ArrayRef = Arc::new(Int64Array::from_iter_values(0..days.len() as i64));
            let batch = RecordBatch::try_from_iter([("row", rows)]).unwrap();
            let mut found = vec![false; days.len()];
            let parts = by_day(batch, &days);
            prop_assert!(parts.is_sorted_by(|(a, _), (b, _)| a < b), "a day comes once");
            for (day, part) in parts {
                let rows = part.column(0).as_primitive::<Int64Type>().values();
                prop_assert!(rows.is_sorted());
                for row in rows {
                    prop_assert_eq!(days[*row as usize], day);
                    prop_assert!(!std::mem::replace(&mut found[*row as usize], true));
                }
            }
            prop_assert!(found.iter().all(|found| *found));
        }
    }
}
