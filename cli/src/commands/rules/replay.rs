//! Rules over the rows of the lake's features, day by day. Within a day, what a rule sees is taken in the order in which
//! crypto-anomaly saw it, whatever the order of rows in the files.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Context, Result};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef, RecordBatch};
use futures_util::{Stream, StreamExt, TryFutureExt, TryStreamExt, stream};
use lake::{DataFile, Lake};
use market::{Episodes, Field, News, Numbers, Rules, Sighting};
use parquet::arrow::ProjectionMask;
use trainer::data::LAYER;

/// Files that are read at a time. Each holds the needed columns of one row group.
const FILES_AT_ONCE: usize = 4;
/// How many of a rule's newest episodes are kept.
const NEWEST: usize = 3;

/// What rules would have done.
#[derive(Debug, Default)]
pub(super) struct Past {
    /// First and last event time; `None` without rows.
    pub(super) range: Option<(i64, i64)>,
    /// Rows of each coin.
    pub(super) coins: BTreeMap<String, u64>,
    /// Rows from before a field was added.
    pub(super) without: BTreeMap<&'static str, u64>,
    /// One for each rule, in the order of the list.
    pub(super) rules: Vec<RulePast>,
}

/// What one rule would have done.
#[derive(Debug, Clone, Default)]
pub(super) struct RulePast {
    /// Rows in which it holds.
    pub(super) held: u64,
    /// Episodes, of all coins.
    pub(super) episodes: u64,
    /// The newest episodes, newest first: when each began, and its coin.
    pub(super) newest: Vec<(i64, String)>,
}

/// Follows the rules through the lake.
///
/// # Errors
/// When the lake cannot be read.
pub(super) async fn replay(lake: &Lake, rules: &Rules) -> Result<Past> {
    let mut past = Past {
        rules: vec![RulePast::default(); rules.list().len()],
        ..Past::default()
    };
    let Some(snapshot) = lake.table(LAYER).snapshot().await? else {
        return Ok(past);
    };
    let mut episodes = HashMap::new();
    for day in snapshot.files().chunk_by(|a, b| a.date == b.date) {
        let mut held = Vec::new();
        let mut batches = stream::iter(day)
            .map(|file| batches(lake, file, rules).try_flatten_stream().boxed())
            .flatten_unordered(FILES_AT_ONCE);
        while let Some((path, batch)) = batches.try_next().await? {
            past.take(rules, &batch, &mut held).with_context(|| {
                format!("{path} has no coin, event_time, price and source_offset")
            })?;
        }
        past.follow(held, &mut episodes);
    }
    Ok(past)
}

/// The columns of a file that rules need, with the file's name.
async fn batches(
    lake: &Lake,
    file: &DataFile,
    rules: &Rules,
) -> Result<impl Stream<Item = Result<(String, RecordBatch)>> + use<>> {
    let path = format!("{lake}/{}", file.path);
    let reader = lake.rows_sized(&file.path, file.bytes).await?;
    let needed = NEEDED.into_iter().chain(rules.fields().map(Field::name));
    let mask = ProjectionMask::columns(reader.parquet_schema(), needed);
    let rows = reader.with_projection(mask).build();
    let rows = rows.with_context(|| format!("{path} cannot be read"))?;
    Ok(rows.map(move |batch| {
        let batch = batch.with_context(|| format!("{path} cannot be read"))?;
        Ok((path.clone(), batch))
    }))
}

const NEEDED: [&str; 5] = [
    "coin",
    "event_time",
    "price",
    "source_partition",
    "source_offset",
];

/// A row in which a rule holds.
#[derive(Debug)]
struct Held {
    /// Partition and offset of its input.
    source: (i32, i64),
    rule: u16,
    coin: String,
    sighting: Sighting,
}

impl Past {
    /// Counts the rows, and collects those in which a rule holds. `None` if a column is missing that every row has.
    fn take(&mut self, rules: &Rules, batch: &RecordBatch, held: &mut Vec<Held>) -> Option<()> {
        let coins = batch.column_by_name("coin")?.as_string_opt::<i32>()?;
        let times = batch.column_by_name("event_time")?;
        let times = times.as_primitive_opt::<TimestampMicrosecondType>()?;
        let prices = batch.column_by_name("price")?;
        let prices = prices.as_primitive_opt::<Float64Type>()?;
        let partitions = batch.column_by_name("source_partition")?;
        let partitions = partitions.as_primitive_opt::<Int32Type>()?;
        let offsets = batch.column_by_name("source_offset")?;
        let offsets = offsets.as_primitive_opt::<Int64Type>()?;
        // A field that a file does not have is null, as for rows from before it was defined.
        let mut columns: Vec<(Field, &ArrayRef)> = Vec::new();
        for field in rules.fields() {
            match batch.column_by_name(field.name()) {
                Some(column) => columns.push((field, column)),
                None => *self.without.entry(field.name()).or_default() += batch.num_rows() as u64,
            }
        }
        for row in 0..batch.num_rows() {
            let (coin, event_time) = (coins.value(row), times.value(row).div_euclid(1_000));
            let (first, last) = self.range.unwrap_or((event_time, event_time));
            self.range = Some((first.min(event_time), last.max(event_time)));
            match self.coins.get_mut(coin) {
                Some(rows) => *rows += 1,
                None => {
                    self.coins.insert(coin.to_owned(), 1);
                }
            }
            let mut numbers = Numbers::default();
            for (field, column) in &columns {
                numbers.set(*field, number(column, row));
            }
            held.extend(rules.holding(coin, &numbers).into_iter().map(|rule| Held {
                source: (partitions.value(row), offsets.value(row)),
                rule,
                coin: coin.to_owned(),
                sighting: Sighting {
                    event_time,
                    price: prices.value(row),
                    severity: rules.list()[usize::from(rule)].severity,
                    moved: 0.0,
                },
            }));
        }
        Some(())
    }

    /// Follows the episodes of a day.
    fn follow(&mut self, mut held: Vec<Held>, episodes: &mut HashMap<(u16, String), Episodes>) {
        held.sort_by_key(|row| row.source);
        for row in held {
            let past = &mut self.rules[usize::from(row.rule)];
            past.held += 1;
            let episode = episodes.entry((row.rule, row.coin.clone())).or_default();
            if episode.take(&row.sighting) == Some(News::Begins) {
                past.begins(row.sighting.event_time, &row.coin);
            }
        }
    }
}

impl RulePast {
    fn begins(&mut self, event_time: i64, coin: &str) {
        self.episodes += 1;
        let newer = |(other, _): &(i64, String)| *other > event_time;
        let at = self.newest.partition_point(newer);
        self.newest.insert(at, (event_time, coin.to_owned()));
        self.newest.truncate(NEWEST);
    }
}

fn number(column: &ArrayRef, row: usize) -> Option<f64> {
    if column.is_null(row) {
        return None;
    }
    let float = column.as_primitive_opt::<Float64Type>();
    let integer = || column.as_primitive_opt::<Int64Type>();
    match float {
        Some(column) => Some(column.value(row)),
        None => integer().map(|column| column.value(row) as f64),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{
        Float64Array, Int32Array, Int64Array, StringArray, TimestampMicrosecondArray,
    };

    use super::*;

    const MINUTE: i64 = 60_000;

    /// Rows of coins at minutes: price, and samples_15m. The minute is also the offset of the input.
    fn batch(rows: &[(&str, i64, f64, Option<i64>)]) -> RecordBatch {
        let columns: [(&str, ArrayRef); 6] = [
            (
                "coin",
                Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.0))),
            ),
            (
                "event_time",
                Arc::new(TimestampMicrosecondArray::from_iter_values(
                    rows.iter().map(|row| row.1 * MINUTE * 1_000),
                )),
            ),
            (
                "source_partition",
                Arc::new(Int32Array::from(vec![0; rows.len()])),
            ),
            (
                "source_offset",
                Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.1))),
            ),
            (
                "price",
                Arc::new(Float64Array::from_iter_values(rows.iter().map(|row| row.2))),
            ),
            (
                "samples_15m",
                Arc::new(Int64Array::from_iter(rows.iter().map(|row| row.3))),
            ),
        ];
        RecordBatch::try_from_iter(columns).unwrap()
    }

    #[test]
    fn episodes_are_counted_by_rule_and_coin() {
        let rules = r#"[{"name": "low", "when": "price < 5 and samples_15m >= 2"},
            {"name": "old", "when": "price_prev > 0"}, {"name": "b", "coins": ["b"], "when": "price < 5"}]"#;
        let rules = Rules::parse(rules).unwrap();
        let mut past = Past {
            rules: vec![RulePast::default(); 3],
            ..Past::default()
        };
        let mut episodes = HashMap::new();
        let rows = [
            ("a", 0, 4.0, Some(2)),
            ("b", 0, 4.0, Some(1)),
            ("a", 15, 4.0, Some(2)),
            ("b", 15, 4.0, None),
            ("a", 31, 4.0, Some(3)),
            ("a", 32, 6.0, Some(3)),
        ];
        // An episode goes on over the end of a day. Within a day the order of rows is that of files, whatever it is.
        for day in rows.chunks(4) {
            let mut held = Vec::new();
            for rows in day.chunks(2).rev() {
                past.take(&rules, &batch(rows), &mut held).unwrap();
            }
            past.follow(held, &mut episodes);
        }
        assert_eq!(past.range, Some((0, 32 * MINUTE)));
        assert_eq!(past.coins["a"], 4);
        let [low, old, b] = &*past.rules else {
            panic!("three rules")
        };
        assert_eq!((low.held, low.episodes), (3, 2));
        assert_eq!(
            low.newest,
            [(31 * MINUTE, "a".to_owned()), (0, "a".to_owned())]
        );
        assert_eq!(
            (old.held, old.episodes),
            (0, 0),
            "the lake does not have the column"
        );
        assert_eq!((b.held, b.episodes), (2, 1));
        assert_eq!(past.without, BTreeMap::from([("price_prev", 6)]));
        let unusable = RecordBatch::try_from_iter([(
            "coin",
            Arc::new(Float64Array::from(vec![1.0])) as ArrayRef,
        )]);
        assert!(
            past.take(&rules, &unusable.unwrap(), &mut Vec::new())
                .is_none()
        );
    }

    #[test]
    fn the_newest_three_are_kept() {
        let mut past = RulePast::default();
        for time in [5, 1, 9, 7, 3] {
            past.begins(time, "a");
        }
        let times: Vec<_> = past.newest.iter().map(|(time, _)| *time).collect();
        assert_eq!((past.episodes, times), (5, vec![9, 7, 5]));
    }
}
