//! Everything a run left behind, as rows that can be compared with those of another run.
//!
//! When a record was fetched differs from run to run; every other value must not.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_cast::cast;
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::DataType;
use broker::{Broker, BrokerConfig};
use connector_runtime::cluster::{Client, Cluster};
use connector_runtime::reader;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Map, Value};

/// The layers, which are also the topics' names behind `crypto-`.
pub const LAYERS: [&str; 6] = [
    "raw",
    "clean",
    "rejected",
    "features",
    "alerts",
    "predictions",
];

/// What depends on the clock of the run.
const VOLATILE: [&str; 2] = ["fetched_at", "_timestamp"];

/// Rows of one layer or topic, in order.
pub type Rows = Vec<Map<String, Value>>;

/// Every layer of the lake under `data`, rows in the order of their input.
pub fn lake(data: &Path) -> BTreeMap<&'static str, Rows> {
    LAYERS
        .into_iter()
        .map(|layer| (layer, layer_rows(data, layer)))
        .collect()
}

/// One layer.
#[allow(dead_code)]
pub fn layer_rows(data: &Path, layer: &str) -> Rows {
    let mut rows = Rows::new();
    for path in parquet_files(&data.join("lake").join(layer)) {
        let file = File::open(&path).unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(file)
            .unwrap_or_else(|error| panic!("{} is not readable: {error}", path.display()))
            .build()
            .unwrap();
        for batch in reader {
            rows.extend(as_text(&batch.unwrap()));
        }
    }
    let number = |row: &Map<String, Value>, column: &str| {
        row[column]
            .as_str()
            .and_then(|text| text.parse::<i64>().ok())
    };
    rows.sort_by_key(|row| (number(row, "_partition"), number(row, "_offset")));
    rows
}

/// Every topic in the broker's log under `data`, which no other broker may have open.
#[allow(dead_code)] // each test binary uses its part
pub async fn topics(data: &Path) -> BTreeMap<&'static str, Rows> {
    let broker = Broker::start(BrokerConfig::new(data.join("broker")))
        .await
        .unwrap();
    let client = Cluster::at(broker.addr()).connect().await.unwrap();
    let mut topics = BTreeMap::new();
    for layer in LAYERS {
        let topic = format!("crypto-{layer}");
        topics.insert(layer, records(&client, &topic, 0).await);
    }
    drop(client);
    broker.stop().await;
    topics
}

/// Every record of a partition.
pub async fn records(client: &Client, topic: &str, partition: u32) -> Rows {
    let range = reader::offsets(client, topic, partition).await.unwrap();
    let records = reader::read_range(client, topic, partition, range.start..range.end)
        .await
        .unwrap();
    let rows = records.iter().map(|record| {
        let mut row = Map::new();
        row.insert("offset".into(), record.offset.into());
        let key = record
            .key
            .as_ref()
            .map(|key| String::from_utf8_lossy(key).into_owned());
        row.insert("key".into(), key.into());
        // A raw record is whatever was sent; the others are JSON objects.
        match serde_json::from_slice(&record.value) {
            Ok(Value::Object(fields)) => row.extend(fields),
            _ => drop(row.insert(
                "value".into(),
                String::from_utf8_lossy(&record.value).into(),
            )),
        }
        steady(row)
    });
    rows.collect()
}

/// Fails with the first rows that differ.
pub fn assert_equal(
    what: &str,
    left: &BTreeMap<&'static str, Rows>,
    right: &BTreeMap<&'static str, Rows>,
) {
    for layer in LAYERS {
        let (left, right) = (&left[layer], &right[layer]);
        for (index, (l, r)) in left.iter().zip(right).enumerate() {
            assert_eq!(l, r, "{what}, {layer}: row {index} differs");
        }
        assert_eq!(
            left.len(),
            right.len(),
            "{what}, {layer}: another number of rows"
        );
    }
}

/// A batch's rows, every value as text: floats with as many digits as tell them apart.
fn as_text(batch: &RecordBatch) -> Rows {
    let options = FormatOptions::default().with_null("null");
    let schema = batch.schema();
    // Times as the milliseconds they are.
    let plain: Vec<ArrayRef> = batch
        .columns()
        .iter()
        .map(|column| match column.data_type() {
            DataType::Timestamp(..) => cast(column, &DataType::Int64).unwrap(),
            _ => Arc::clone(column),
        })
        .collect();
    let columns: Vec<_> = schema
        .fields()
        .iter()
        .zip(&plain)
        .map(|(field, column)| {
            (
                field.name(),
                ArrayFormatter::try_new(column, &options).unwrap(),
            )
        })
        .collect();
    let columns = &columns;
    let row = |index| {
        columns
            .iter()
            .map(move |(name, text)| ((*name).clone(), text.value(index).to_string().into()))
    };
    (0..batch.num_rows())
        .map(|index| steady(row(index).collect()))
        .collect()
}

fn steady(mut row: Map<String, Value>) -> Map<String, Value> {
    for column in VOLATILE {
        row.remove(column);
    }
    row
}

fn parquet_files(layer: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    // A layer without a row has no folder.
    for date in fs::read_dir(layer).into_iter().flatten() {
        for file in fs::read_dir(date.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            assert!(
                path.extension().is_some_and(|e| e == "parquet"),
                "a leftover: {}",
                path.display()
            );
            files.push(path);
        }
    }
    files.sort();
    files
}
