//! Checkpoints: the state of a table as one Parquet file, a column for each kind of action and a row for each action.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::builder::{ListBuilder, MapBuilder, MapFieldNames, StringBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type};
use arrow_array::{
    Array, ArrayRef, BooleanArray, Int32Array, Int64Array, RecordBatch, StringArray, StructArray,
};
use arrow_schema::{DataType, Field, Schema};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use super::action::{Action, Add, DomainMetadata, Format, MetaData, Protocol, Remove, Txn};
use crate::error::LakeError;
use crate::lake::Lake;

/// The actions of one checkpoint file.
///
/// # Errors
/// [`LakeError::Gone`] when there is no such file any more, and when it is not a checkpoint.
pub(crate) async fn read(lake: &Lake, path: &str) -> Result<Vec<Action>, LakeError> {
    let contents = lake.read_if_there(path).await?;
    let contents = contents.ok_or_else(|| LakeError::Gone {
        path: path.to_owned(),
    })?;
    decode(contents).map_err(|error| lake.broken(path, error))
}

fn decode(contents: Bytes) -> Result<Vec<Action>, ParquetError> {
    // Types by Parquet's schema: other writers embed other Arrow types.
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let reader = ParquetRecordBatchReaderBuilder::try_new_with_options(contents, options)?;
    let mut actions = Vec::new();
    for batch in reader.build()? {
        let batch = batch?;
        for row in 0..batch.num_rows() {
            let of = |kind: &str| Fields::of(&batch, kind, row);
            if let Some(fields) = of("add") {
                actions.push(Action::Add(fields.add()));
            } else if let Some(fields) = of("remove") {
                actions.push(Action::Remove(fields.remove()));
            } else if let Some(fields) = of("txn") {
                actions.push(Action::Txn(fields.txn()));
            } else if let Some(fields) = of("domainMetadata") {
                actions.push(Action::DomainMetadata(fields.domain_metadata()));
            } else if let Some(fields) = of("metaData") {
                actions.push(Action::MetaData(fields.metadata()));
            } else if let Some(fields) = of("protocol") {
                actions.push(Action::Protocol(fields.protocol()));
            }
        }
    }
    Ok(actions)
}

/// One row of a struct column.
struct Fields<'a> {
    columns: &'a StructArray,
    row: usize,
}

impl<'a> Fields<'a> {
    fn of(batch: &'a RecordBatch, kind: &str, row: usize) -> Option<Self> {
        let columns = batch.column_by_name(kind)?.as_struct_opt()?;
        columns.is_valid(row).then_some(Self { columns, row })
    }

    fn value(&self, name: &str) -> Option<&'a ArrayRef> {
        let column = self.columns.column_by_name(name)?;
        column.is_valid(self.row).then_some(column)
    }

    fn text(&self, name: &str) -> Option<String> {
        let column = self.value(name)?.as_string_opt::<i32>()?;
        Some(column.value(self.row).to_owned())
    }

    fn integer(&self, name: &str) -> Option<i64> {
        let column = self.value(name)?;
        let long = column.as_primitive_opt::<Int64Type>();
        long.map(|long| long.value(self.row)).or_else(|| {
            let int = column.as_primitive_opt::<Int32Type>()?;
            Some(i64::from(int.value(self.row)))
        })
    }

    fn version(&self, name: &str) -> i32 {
        let version = self.integer(name).unwrap_or_default();
        i32::try_from(version).unwrap_or(i32::MAX)
    }

    fn flag(&self, name: &str) -> Option<bool> {
        Some(self.value(name)?.as_boolean_opt()?.value(self.row))
    }

    fn texts(&self, name: &str) -> Option<Vec<String>> {
        let list = self.value(name)?.as_list_opt::<i32>()?.value(self.row);
        let list = list.as_string_opt::<i32>()?;
        Some(list.iter().flatten().map(str::to_owned).collect())
    }

    fn map(&self, name: &str) -> Option<BTreeMap<String, Option<String>>> {
        let entries = self.value(name)?.as_map_opt()?.value(self.row);
        let keys = entries.column(0).as_string_opt::<i32>()?;
        let values = entries.column(1).as_string_opt::<i32>()?;
        let pairs = keys.iter().zip(values.iter());
        let pairs = pairs.map(|(key, value)| (key.unwrap_or_default(), value));
        Some(
            pairs
                .map(|(k, v)| (k.to_owned(), v.map(str::to_owned)))
                .collect(),
        )
    }

    fn text_map(&self, name: &str) -> BTreeMap<String, String> {
        let map = self.map(name).unwrap_or_default().into_iter();
        map.map(|(key, value)| (key, value.unwrap_or_default()))
            .collect()
    }

    fn add(&self) -> Add {
        Add {
            path: self.text("path").unwrap_or_default(),
            partition_values: self.map("partitionValues").unwrap_or_default(),
            size: self.integer("size").unwrap_or_default(),
            modification_time: self.integer("modificationTime").unwrap_or_default(),
            // A checkpoint's actions change nothing.
            data_change: false,
            stats: self.text("stats"),
            tags: self.map("tags"),
        }
    }

    fn remove(&self) -> Remove {
        Remove {
            path: self.text("path").unwrap_or_default(),
            deletion_timestamp: self.integer("deletionTimestamp"),
            data_change: false,
            extended_file_metadata: self.flag("extendedFileMetadata"),
            partition_values: self.map("partitionValues"),
            size: self.integer("size"),
        }
    }

    fn txn(&self) -> Txn {
        Txn {
            app_id: self.text("appId").unwrap_or_default(),
            version: self.integer("version").unwrap_or_default(),
            last_updated: self.integer("lastUpdated"),
        }
    }

    fn domain_metadata(&self) -> DomainMetadata {
        DomainMetadata {
            domain: self.text("domain").unwrap_or_default(),
            configuration: self.text("configuration").unwrap_or_default(),
            removed: self.flag("removed").unwrap_or_default(),
        }
    }

    fn metadata(&self) -> MetaData {
        let format = self
            .value("format")
            .and_then(|format| format.as_struct_opt());
        let format = format.map(|columns| Fields {
            columns,
            row: self.row,
        });
        MetaData {
            id: self.text("id").unwrap_or_default(),
            name: self.text("name"),
            description: self.text("description"),
            format: format.map_or_else(Format::default, |format| Format {
                provider: format.text("provider").unwrap_or_default(),
                options: format.text_map("options"),
            }),
            schema_string: self.text("schemaString").unwrap_or_default(),
            partition_columns: self.texts("partitionColumns").unwrap_or_default(),
            configuration: self.text_map("configuration"),
            created_time: self.integer("createdTime"),
        }
    }

    fn protocol(&self) -> Protocol {
        Protocol {
            min_reader_version: self.version("minReaderVersion"),
            min_writer_version: self.version("minWriterVersion"),
            reader_features: self.texts("readerFeatures"),
            writer_features: self.texts("writerFeatures"),
        }
    }
}

/// The actions as a checkpoint file. Removed files, which readers have no use for, are a row group of their own behind
/// everything else: readers skip it by its statistics.
///
/// # Errors
/// A bug here or in the Parquet library.
pub(crate) fn encode(mut actions: Vec<Action>) -> Result<Bytes, ParquetError> {
    actions.sort_by_key(|action| matches!(action, Action::Remove(_)));
    let kept = actions.partition_point(|action| !matches!(action, Action::Remove(_)));
    let columns = [
        column("txn", &actions, txn),
        column("add", &actions, add),
        column("remove", &actions, remove),
        column("metaData", &actions, metadata),
        column("protocol", &actions, protocol),
        column("domainMetadata", &actions, domain_metadata),
    ];
    drop(actions);
    let (fields, columns): (Vec<Field>, Vec<ArrayRef>) = columns.into_iter().unzip();
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?;
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY);
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties.build()))?;
    writer.write(&batch.slice(0, kept))?;
    writer.flush()?;
    writer.write(&batch.slice(kept, batch.num_rows() - kept))?;
    Ok(writer.into_inner()?.into())
}

/// One kind of action as a struct column: the fields of the actions for which `fields` has one.
fn column<'a, T: 'a>(
    name: &str,
    actions: &'a [Action],
    kind: fn(&'a Action) -> Option<&'a T>,
) -> (Field, ArrayRef)
where
    [Option<&'a T>]: ToColumns,
{
    let found: Vec<Option<&T>> = actions.iter().map(kind).collect();
    let valid = found.iter().map(Option::is_some).collect();
    structure(name, valid, found.to_columns())
}

/// The fields of one kind of action, as columns.
trait ToColumns {
    fn to_columns(&self) -> Vec<(&'static str, ArrayRef)>;
}

fn txn(action: &Action) -> Option<&Txn> {
    match action {
        Action::Txn(txn) => Some(txn),
        _ => None,
    }
}

fn add(action: &Action) -> Option<&Add> {
    match action {
        Action::Add(add) => Some(add),
        _ => None,
    }
}

fn remove(action: &Action) -> Option<&Remove> {
    match action {
        Action::Remove(remove) => Some(remove),
        _ => None,
    }
}

fn metadata(action: &Action) -> Option<&MetaData> {
    match action {
        Action::MetaData(metadata) => Some(metadata),
        _ => None,
    }
}

fn protocol(action: &Action) -> Option<&Protocol> {
    match action {
        Action::Protocol(protocol) => Some(protocol),
        _ => None,
    }
}

fn domain_metadata(action: &Action) -> Option<&DomainMetadata> {
    match action {
        Action::DomainMetadata(domain) => Some(domain),
        _ => None,
    }
}

impl ToColumns for [Option<&Txn>] {
    fn to_columns(&self) -> Vec<(&'static str, ArrayRef)> {
        vec![
            ("appId", texts(self, |txn| Some(&txn.app_id))),
            ("version", longs(self, |txn| Some(txn.version))),
            ("lastUpdated", longs(self, |txn| txn.last_updated)),
        ]
    }
}

impl ToColumns for [Option<&Add>] {
    fn to_columns(&self) -> Vec<(&'static str, ArrayRef)> {
        vec![
            ("path", texts(self, |add| Some(&add.path))),
            (
                "partitionValues",
                maps(self, |add| Some(pairs(&add.partition_values))),
            ),
            ("size", longs(self, |add| Some(add.size))),
            (
                "modificationTime",
                longs(self, |add| Some(add.modification_time)),
            ),
            ("dataChange", flags(self, |_| Some(false))),
            ("stats", texts(self, |add| add.stats.as_deref())),
            ("tags", maps(self, |add| add.tags.as_ref().map(pairs))),
        ]
    }
}

impl ToColumns for [Option<&Remove>] {
    fn to_columns(&self) -> Vec<(&'static str, ArrayRef)> {
        vec![
            ("path", texts(self, |remove| Some(&remove.path))),
            (
                "deletionTimestamp",
                longs(self, |remove| remove.deletion_timestamp),
            ),
            ("dataChange", flags(self, |_| Some(false))),
            (
                "extendedFileMetadata",
                flags(self, |remove| remove.extended_file_metadata),
            ),
            (
                "partitionValues",
                maps(self, |remove| remove.partition_values.as_ref().map(pairs)),
            ),
            ("size", longs(self, |remove| remove.size)),
        ]
    }
}

impl ToColumns for [Option<&MetaData>] {
    fn to_columns(&self) -> Vec<(&'static str, ArrayRef)> {
        let valid = self.iter().map(Option::is_some).collect();
        let format = vec![
            (
                "provider",
                texts(self, |metadata| Some(&metadata.format.provider)),
            ),
            (
                "options",
                maps(self, |metadata| Some(text_pairs(&metadata.format.options))),
            ),
        ];
        vec![
            ("id", texts(self, |metadata| Some(&metadata.id))),
            ("name", texts(self, |metadata| metadata.name.as_deref())),
            (
                "description",
                texts(self, |metadata| metadata.description.as_deref()),
            ),
            ("format", structure("format", valid, format).1),
            (
                "schemaString",
                texts(self, |metadata| Some(&metadata.schema_string)),
            ),
            (
                "partitionColumns",
                lists(self, |metadata| Some(&metadata.partition_columns)),
            ),
            (
                "configuration",
                maps(self, |metadata| Some(text_pairs(&metadata.configuration))),
            ),
            ("createdTime", longs(self, |metadata| metadata.created_time)),
        ]
    }
}

impl ToColumns for [Option<&Protocol>] {
    fn to_columns(&self) -> Vec<(&'static str, ArrayRef)> {
        let versions = |version: fn(&Protocol) -> i32| -> ArrayRef {
            let versions = self.iter().map(|protocol| protocol.map(version));
            Arc::new(versions.collect::<Int32Array>())
        };
        vec![
            (
                "minReaderVersion",
                versions(|protocol| protocol.min_reader_version),
            ),
            (
                "minWriterVersion",
                versions(|protocol| protocol.min_writer_version),
            ),
            (
                "readerFeatures",
                lists(self, |protocol| protocol.reader_features.as_ref()),
            ),
            (
                "writerFeatures",
                lists(self, |protocol| protocol.writer_features.as_ref()),
            ),
        ]
    }
}

impl ToColumns for [Option<&DomainMetadata>] {
    fn to_columns(&self) -> Vec<(&'static str, ArrayRef)> {
        vec![
            ("domain", texts(self, |domain| Some(&domain.domain))),
            (
                "configuration",
                texts(self, |domain| Some(&domain.configuration)),
            ),
            ("removed", flags(self, |domain| Some(domain.removed))),
        ]
    }
}

fn structure(
    name: &str,
    valid: Vec<bool>,
    columns: Vec<(&'static str, ArrayRef)>,
) -> (Field, ArrayRef) {
    let (fields, columns): (Vec<Field>, Vec<ArrayRef>) = columns
        .into_iter()
        .map(|(name, column)| (Field::new(name, column.data_type().clone(), true), column))
        .unzip();
    let column = StructArray::new(fields.into(), columns, Some(valid.into()));
    let field = Field::new(name, DataType::Struct(column.fields().clone()), true);
    (field, Arc::new(column))
}

fn texts<'a, T>(rows: &[Option<&'a T>], field: fn(&'a T) -> Option<&'a str>) -> ArrayRef {
    let values = rows.iter().map(|row| row.and_then(field));
    Arc::new(values.collect::<StringArray>())
}

fn longs<T>(rows: &[Option<&T>], field: fn(&T) -> Option<i64>) -> ArrayRef {
    let values = rows.iter().map(|row| row.and_then(field));
    Arc::new(values.collect::<Int64Array>())
}

fn flags<T>(rows: &[Option<&T>], field: fn(&T) -> Option<bool>) -> ArrayRef {
    let values = rows.iter().map(|row| row.and_then(field));
    Arc::new(values.collect::<BooleanArray>())
}

fn lists<'a, T>(rows: &[Option<&'a T>], field: fn(&'a T) -> Option<&'a Vec<String>>) -> ArrayRef {
    let element = Field::new("element", DataType::Utf8, true);
    let mut lists = ListBuilder::new(StringBuilder::new()).with_field(element);
    for row in rows {
        match row.and_then(field) {
            Some(list) => lists.append_value(list.iter().map(Some)),
            None => lists.append_null(),
        }
    }
    Arc::new(lists.finish())
}

type Pairs<'a> = Vec<(&'a str, Option<&'a str>)>;

fn pairs(map: &BTreeMap<String, Option<String>>) -> Pairs<'_> {
    let pairs = map.iter();
    pairs
        .map(|(key, value)| (key.as_str(), value.as_deref()))
        .collect()
}

fn text_pairs(map: &BTreeMap<String, String>) -> Pairs<'_> {
    let pairs = map.iter();
    pairs
        .map(|(key, value)| (key.as_str(), Some(value.as_str())))
        .collect()
}

fn maps<'a, T>(rows: &[Option<&'a T>], field: fn(&'a T) -> Option<Pairs<'a>>) -> ArrayRef {
    let names = MapFieldNames {
        entry: "key_value".to_owned(),
        key: "key".to_owned(),
        value: "value".to_owned(),
    };
    let mut maps = MapBuilder::new(Some(names), StringBuilder::new(), StringBuilder::new());
    for row in rows {
        let map = row.and_then(field);
        for (key, value) in map.iter().flatten() {
            maps.keys().append_value(key);
            maps.values().append_option(*value);
        }
        maps.append(map.is_some()).expect("as many keys as values");
    }
    Arc::new(maps.finish())
}

#[cfg(test)]
mod tests {
    use super::super::protocol::of_new_tables;
    use super::*;

    #[test]
    fn a_checkpoint_reads_as_it_was_written() {
        let date = |date: &str| BTreeMap::from([("date".to_owned(), Some(date.to_owned()))]);
        let actions = vec![
            Action::Protocol(of_new_tables()),
            Action::MetaData(MetaData {
                id: "id".to_owned(),
                description: Some("what it is".to_owned()),
                schema_string: "{}".to_owned(),
                partition_columns: vec!["date".to_owned()],
                configuration: BTreeMap::from([("a".to_owned(), "b".to_owned())]),
                created_time: Some(5),
                ..MetaData::default()
            }),
            Action::Txn(Txn {
                app_id: "a".to_owned(),
                version: 9,
                last_updated: Some(3),
            }),
            Action::DomainMetadata(DomainMetadata {
                domain: "d".to_owned(),
                configuration: "{\"a\":1}".to_owned(),
                removed: false,
            }),
            Action::Add(Add {
                path: "p".to_owned(),
                partition_values: date("2025-06-01"),
                size: 10,
                modification_time: 11,
                data_change: false,
                stats: Some("{\"numRecords\":1}".to_owned()),
                tags: Some(BTreeMap::from([("t".to_owned(), None)])),
            }),
            Action::Add(Add {
                path: "null date".to_owned(),
                partition_values: BTreeMap::from([("date".to_owned(), None)]),
                ..Add::default()
            }),
            Action::Remove(Remove {
                path: "q".to_owned(),
                deletion_timestamp: Some(12),
                data_change: false,
                extended_file_metadata: Some(true),
                partition_values: Some(date("2025-06-02")),
                size: Some(13),
            }),
        ];
        let contents = encode(actions.clone()).unwrap();
        assert_eq!(decode(contents.clone()).unwrap(), actions);
        let reader = ParquetRecordBatchReaderBuilder::try_new(contents).unwrap();
        let rows = reader.metadata().row_groups().iter();
        let rows: Vec<i64> = rows.map(|group| group.num_rows()).collect();
        assert_eq!(rows, [6, 1], "removed files stand alone");
    }
}
