//! Rows out of the batches of a layer's files.

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef, RecordBatch};
use lake::TableSpec;
use market::WindowFeatures;
use market::model::{Inputs, inputs};

use super::error::DataError;

/// The columns that labels are computed from: those that the anomaly rule judges, and what it says of whom and when.
pub(super) const RULE_COLUMNS: [&str; 11] = [
    "coin",
    "event_time",
    "price",
    "source_offset",
    "features_version",
    "return_15m",
    "zscore_15m",
    "return_zscore_15m",
    "volume_ratio",
    "move_15m",
    "volume_surge",
];

/// A row as it is read. What its batch has no column for is absent.
pub(super) struct ReadRow<'a> {
    pub(super) source_offset: i64,
    pub(super) coin: &'a str,
    /// Milliseconds since the epoch.
    pub(super) event_time: i64,
    pub(super) price: f64,
    pub(super) windows: WindowFeatures,
}

impl ReadRow<'_> {
    /// The models' inputs.
    pub(super) fn inputs(&self) -> Inputs {
        inputs(self.price, self.event_time, &self.windows)
    }
}

/// Fails if a table does not have all columns. One without versions of its features may lack any: no row of it is used.
pub(super) fn check(table: &str, spec: &TableSpec) -> Result<(), DataError> {
    let has = |name: &str| spec.columns.iter().any(|column| column.name == name);
    let missing = COLUMNS.into_iter().zip(TYPES).find(|(name, _)| !has(name));
    match missing.filter(|_| has("features_version")) {
        None => Ok(()),
        Some((column, expected)) => Err(DataError::Column {
            path: table.to_owned(),
            column,
            expected,
        }),
    }
}

macro_rules! columns {
    ($($kind:ident $name:ident,)*) => {
        /// The columns to read.
        pub(super) const COLUMNS: [&str; 4 + [$(stringify!($name)),*].len()] =
            ["coin", "event_time", "price", "source_offset", $(stringify!($name)),*];

        /// Their types.
        const TYPES: [&str; COLUMNS.len()] =
            ["string", "timestamp", "float64", "int64", $(columns!(@name $kind)),*];

        /// The typed columns of a batch. Rows from before a column was added are without it, as are those it was not read of.
        pub(super) struct Columns<'a> {
            coin: &'a arrow_array::StringArray,
            event_time: &'a arrow_array::TimestampMicrosecondArray,
            price: &'a arrow_array::Float64Array,
            source_offset: &'a arrow_array::Int64Array,
            $($name: Option<&'a columns!(@type $kind)>,)*
        }

        impl<'a> Columns<'a> {
            pub(super) fn of(path: &str, batch: &'a RecordBatch) -> Result<Self, DataError> {
                let found = Found { path, batch };
                Ok(Self {
                    coin: found.always("coin", "string", |a| a.as_string_opt())?,
                    event_time: found.always("event_time", "timestamp", |a| {
                        a.as_primitive_opt::<TimestampMicrosecondType>()
                    })?,
                    price: found.always("price", "float64", |a| a.as_primitive_opt::<Float64Type>())?,
                    source_offset: found.always("source_offset", "int64", |a| a.as_primitive_opt::<Int64Type>())?,
                    $($name: found.perhaps(stringify!($name), columns!(@name $kind), |a| {
                        a.as_primitive_opt::<columns!(@primitive $kind)>()
                    })?,)*
                })
            }

            fn windows(&self, row: usize) -> WindowFeatures {
                WindowFeatures {
                    $($name: columns!(@value $kind, self.$name, row),)*
                    ..WindowFeatures::default()
                }
            }
        }
    };
    (@type number) => { arrow_array::Float64Array };
    (@type count) => { arrow_array::Int64Array };
    (@primitive number) => { Float64Type };
    (@primitive count) => { Int64Type };
    (@name number) => { "float64" };
    (@name count) => { "int64" };
    (@value number, $array:expr, $row:expr) => {
        $array.and_then(|array| array.is_valid($row).then(|| array.value($row)))
    };
    (@value count, $array:expr, $row:expr) => {
        columns!(@value number, $array, $row).and_then(|count| u32::try_from(count).ok())
    };
}

columns! {
    count features_version,
    number ma_5m,
    number ma_15m,
    count samples_15m,
    number volatility_5m,
    number volatility_15m,
    number return_1m,
    number return_5m,
    number return_15m,
    number zscore_15m,
    number return_zscore_15m,
    number volume_ratio,
    number move_15m,
    number volume_surge,
}

impl Columns<'_> {
    /// The number of rows.
    pub(super) fn len(&self) -> usize {
        self.price.len()
    }

    /// `None` if it lacks what every row has.
    pub(super) fn row(&self, place: usize) -> Option<ReadRow<'_>> {
        let whole = self.coin.is_valid(place)
            && self.event_time.is_valid(place)
            && self.price.is_valid(place);
        whole.then(|| ReadRow {
            source_offset: self.source_offset.value(place),
            coin: self.coin.value(place),
            event_time: millis(self.event_time.value(place)),
            price: self.price.value(place),
            windows: self.windows(place),
        })
    }
}

/// The columns of a batch, as they are found.
struct Found<'a, 'p> {
    path: &'p str,
    batch: &'a RecordBatch,
}

impl<'a> Found<'a, '_> {
    /// A column that every file has.
    fn always<T>(
        &self,
        column: &'static str,
        expected: &'static str,
        typed: impl FnOnce(&'a ArrayRef) -> Option<&'a T>,
    ) -> Result<&'a T, DataError> {
        let found = self.batch.column_by_name(column).and_then(typed);
        found.ok_or_else(|| DataError::Column {
            path: self.path.to_owned(),
            column,
            expected,
        })
    }

    /// A column that older files may not have.
    fn perhaps<T>(
        &self,
        column: &'static str,
        expected: &'static str,
        typed: impl FnOnce(&'a ArrayRef) -> Option<&'a T>,
    ) -> Result<Option<&'a T>, DataError> {
        match self.batch.column_by_name(column) {
            Some(_) => self.always(column, expected, typed).map(Some),
            None => Ok(None),
        }
    }
}

/// The lake's microseconds in milliseconds.
pub(super) fn millis(micros: i64) -> i64 {
    micros.div_euclid(1_000)
}

#[cfg(test)]
mod tests {
    use market::{AnomalyParams, AnomalyRule};
    use proptest::prelude::*;

    use super::*;

    fn number() -> impl Strategy<Value = Option<f64>> {
        prop::option::of(-20.0..20.0_f64)
    }

    proptest! {
        #![proptest_config(crate::property::cases(300))]

        /// Labels are computed from rows that have these columns alone.
        #[test]
        fn the_rule_judges_by_no_other_columns(used in prop::array::uniform6(number()), other in prop::array::uniform6(number())) {
            let [return_15m, zscore_15m, return_zscore_15m, volume_ratio, move_15m, volume_surge] = used;
            let alone = WindowFeatures {
                return_15m,
                zscore_15m,
                return_zscore_15m,
                volume_ratio,
                move_15m,
                volume_surge,
                ..WindowFeatures::default()
            };
            let [ma_5m, ma_15m, volatility_5m, volatility_15m, return_1m, return_5m] = other;
            let whole = WindowFeatures {
                ma_5m,
                ma_15m,
                samples_15m: Some(15),
                volatility_5m,
                volatility_15m,
                return_1m,
                return_5m,
                ..alone
            };
            let rule = AnomalyRule::new(AnomalyParams::default());
            let severity = |windows| rule.judge(windows).map(|alert| alert.severity);
            prop_assert_eq!(severity(&alone), severity(&whole));
        }
    }
}
