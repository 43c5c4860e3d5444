//! What a table looks like: its columns, and what they mean.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow_schema::{DataType, Field, SchemaRef, TimeUnit};
use serde::{Deserialize, Serialize};

use crate::log::action::MetaData;

/// The column by which files are parted. It is in no file; the folder's name holds it.
pub(crate) const DATE: &str = "date";
/// The table property with the columns that optimize sorts by, separated by commas.
pub(crate) const SORT: &str = "coinlake.sort";
/// The table property with the time that rows are kept, such as `interval 86400 seconds`.
const KEEP: &str = "coinlake.keep";
/// The table property with the size of files in bytes; Databricks reads it, too.
const FILE_BYTES: &str = "delta.targetFileSize";
/// The table property that says when it was made of a layer of a release before tables, in milliseconds since the epoch.
pub(crate) const IMPORTED: &str = "coinlake.imported";
/// Properties of every table. Removed files and old entries are kept for a day, by anyone's upkeep.
const PROPERTIES: [(&str, &str); 3] = [
    ("delta.checkpointInterval", "100"),
    ("delta.deletedFileRetentionDuration", "interval 1 days"),
    ("delta.logRetentionDuration", "interval 1 days"),
];

/// What a table looks like.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TableSpec {
    /// What it holds; may be empty.
    pub description: String,
    /// The columns of its files, in order.
    pub columns: Vec<Column>,
    /// The columns that optimize sorts by, such as `coin` and `event_time`.
    pub sort: Vec<String>,
    /// Rows of days older than this expire; `None` keeps them for ever.
    pub keep: Option<Duration>,
    /// The size of the files that optimize makes, in bytes; `None` is [`crate::upkeep::FILE_BYTES`].
    pub file_bytes: Option<u64>,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Delta's type: `string`, `binary`, `boolean`, `integer`, `long`, `double`, `timestamp` or `array<string>`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether a value may be null.
    pub nullable: bool,
    /// What it holds, with its unit; may be empty.
    pub comment: String,
}

/// A schema as Delta writes it.
#[derive(Serialize, Deserialize)]
struct Schema {
    #[serde(rename = "type")]
    kind: String,
    fields: Vec<SchemaField>,
}

#[derive(Serialize, Deserialize)]
struct SchemaField {
    name: String,
    #[serde(rename = "type")]
    kind: serde_json::Value,
    nullable: bool,
    #[serde(default)]
    metadata: BTreeMap<String, serde_json::Value>,
}

impl TableSpec {
    /// A table whose files have this schema. The metadata `comment` of a field is the column's comment.
    ///
    /// # Errors
    /// A phrase, when a column cannot be a table's: its type, or its name that differs from another's only in case or is
    /// that of the column which parts the table.
    pub fn new(schema: &SchemaRef, description: &str, sort: Vec<String>) -> Result<Self, String> {
        let columns: Result<Vec<Column>, String> = schema
            .fields()
            .iter()
            .map(|field| Column::of(field))
            .collect();
        let columns = columns?;
        for (i, column) in columns.iter().enumerate() {
            let name = &column.name;
            if name.eq_ignore_ascii_case(DATE) {
                return Err(format!(
                    "a column cannot be called `{name}`: that is the column which parts the table into days"
                ));
            }
            let same = |other: &&Column| other.name.eq_ignore_ascii_case(name);
            if let Some(other) = columns[..i].iter().find(same) {
                return Err(format!(
                    "the columns `{}` and `{name}` differ only in case, which Delta does not allow",
                    other.name
                ));
            }
        }
        Ok(Self {
            description: description.to_owned(),
            columns,
            sort,
            ..Self::default()
        })
    }

    /// The Arrow schema of its files.
    ///
    /// # Errors
    /// A phrase, when a column is of a type that only other programs write.
    pub(crate) fn arrow_schema(&self) -> Result<SchemaRef, String> {
        let fields: Result<Vec<Field>, String> = self.columns.iter().map(Column::field).collect();
        Ok(Arc::new(arrow_schema::Schema::new(fields?)))
    }

    /// Reads the description of a table.
    ///
    /// # Errors
    /// A phrase, when it is not a schema.
    pub(crate) fn of_metadata(metadata: &MetaData) -> Result<Self, String> {
        let schema: Schema = serde_json::from_str(&metadata.schema_string)
            .map_err(|error| format!("its schema cannot be read: {error}"))?;
        let columns = schema.fields.into_iter().filter(|field| field.name != DATE);
        let columns = columns.map(|field| Column {
            kind: kind_as_text(&field.kind),
            nullable: field.nullable,
            comment: match field.metadata.get("comment") {
                Some(serde_json::Value::String(comment)) => comment.clone(),
                _ => String::new(),
            },
            name: field.name,
        });
        let property = |name: &str| metadata.configuration.get(name);
        let keep = property(KEEP).and_then(|keep| parse_interval(keep));
        let file_bytes = property(FILE_BYTES).and_then(|bytes| bytes.parse().ok());
        let sort = property(SORT).into_iter();
        let sort = sort.flat_map(|sort| sort.split(','));
        Ok(Self {
            description: metadata.description.clone().unwrap_or_default(),
            columns: columns.collect(),
            sort: sort
                .filter(|name| !name.is_empty())
                .map(str::to_owned)
                .collect(),
            keep,
            file_bytes,
        })
    }

    /// The description as the log holds it. What `before` says of the table's identity and others' properties is kept.
    pub(crate) fn to_metadata(&self, before: MetaData) -> MetaData {
        let mut configuration = before.configuration;
        for (name, value) in PROPERTIES {
            configuration.insert(name.to_owned(), value.to_owned());
        }
        configuration.insert(SORT.to_owned(), self.sort.join(","));
        let mut set = |name: &str, value: Option<String>| match value {
            Some(value) => configuration.insert(name.to_owned(), value),
            None => configuration.remove(name),
        };
        set(KEEP, self.keep.map(interval));
        set(FILE_BYTES, self.file_bytes.map(|bytes| bytes.to_string()));
        let mut fields: Vec<SchemaField> = self.columns.iter().map(Column::to_field).collect();
        fields.push(SchemaField {
            name: DATE.to_owned(),
            kind: "date".into(),
            nullable: true,
            metadata: BTreeMap::new(),
        });
        let schema = Schema {
            kind: "struct".to_owned(),
            fields,
        };
        MetaData {
            description: (!self.description.is_empty()).then(|| self.description.clone()),
            schema_string: serde_json::to_string(&schema).expect("names and plain values"),
            partition_columns: vec![DATE.to_owned()],
            configuration,
            ..before
        }
    }

    /// This table after a writer with the specification `wanted` has come: with its new nullable columns and its comments.
    ///
    /// # Errors
    /// A phrase that says which change no reader would bear.
    pub(crate) fn evolved(&self, wanted: &Self) -> Result<Self, String> {
        let mut evolved = self.clone();
        for column in &wanted.columns {
            let existing = evolved.columns.iter_mut();
            let mut existing = existing.filter(|has| has.name.eq_ignore_ascii_case(&column.name));
            let Some(has) = existing.next() else {
                if !column.nullable {
                    return Err(format!(
                        "the new column `{}` is not nullable, and rows of before have no value for it: make it nullable",
                        column.name
                    ));
                }
                evolved.columns.push(column.clone());
                continue;
            };
            if has.name != column.name {
                return Err(format!(
                    "column `{}` is called `{}` there: only the case differs",
                    column.name, has.name
                ));
            }
            if has.kind != column.kind {
                return Err(format!(
                    "column `{}` is of type {} there, not {}: give the new one another name",
                    column.name, has.kind, column.kind
                ));
            }
            if column.nullable && !has.nullable {
                return Err(format!(
                    "column `{}` holds no null there: give the nullable one another name",
                    column.name
                ));
            }
            if !column.comment.is_empty() {
                has.comment.clone_from(&column.comment);
            }
        }
        let kept = |name: &String| wanted.columns.iter().any(|column| column.name == *name);
        if let Some(column) = self
            .columns
            .iter()
            .find(|has| !has.nullable && !kept(&has.name))
        {
            return Err(format!(
                "column `{}` is missing, and it holds no null there: keep it",
                column.name
            ));
        }
        if !wanted.description.is_empty() {
            evolved.description.clone_from(&wanted.description);
        }
        if !wanted.sort.is_empty() {
            evolved.sort.clone_from(&wanted.sort);
        }
        // A setting that was taken back holds no longer.
        (evolved.keep, evolved.file_bytes) = (wanted.keep, wanted.file_bytes);
        Ok(evolved)
    }
}

impl Column {
    fn of(field: &Field) -> Result<Self, String> {
        let kind = match field.data_type() {
            DataType::Utf8 => "string",
            DataType::Binary => "binary",
            DataType::Boolean => "boolean",
            DataType::Int32 => "integer",
            DataType::Int64 => "long",
            DataType::Float64 => "double",
            DataType::Timestamp(TimeUnit::Microsecond, Some(zone)) if zone.as_ref() == "UTC" => {
                "timestamp"
            }
            DataType::List(element) if *element.data_type() == DataType::Utf8 => "array<string>",
            other => {
                return Err(format!(
                    "column `{}` is of type {other}, which no table takes",
                    field.name()
                ));
            }
        };
        Ok(Self {
            name: field.name().clone(),
            kind: kind.to_owned(),
            nullable: field.is_nullable(),
            comment: field.metadata().get("comment").cloned().unwrap_or_default(),
        })
    }

    fn field(&self) -> Result<Field, String> {
        let kind = match self.kind.as_str() {
            "string" => DataType::Utf8,
            "binary" => DataType::Binary,
            "boolean" => DataType::Boolean,
            "integer" => DataType::Int32,
            "long" => DataType::Int64,
            "double" => DataType::Float64,
            "timestamp" => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            "array<string>" => {
                DataType::List(Arc::new(Field::new("element", DataType::Utf8, false)))
            }
            other => {
                return Err(format!(
                    "column `{}` is of type {other}, which this release does not rewrite",
                    self.name
                ));
            }
        };
        Ok(Field::new(&self.name, kind, self.nullable))
    }

    fn to_field(&self) -> SchemaField {
        let kind = match self.kind.as_str() {
            "array<string>" => serde_json::json!({
                "type": "array", "elementType": "string", "containsNull": false
            }),
            // What others' columns are, as it was read.
            kind => serde_json::from_str(kind).unwrap_or_else(|_| kind.into()),
        };
        let comment =
            (!self.comment.is_empty()).then(|| ("comment".to_owned(), self.comment.clone().into()));
        SchemaField {
            name: self.name.clone(),
            kind,
            nullable: self.nullable,
            metadata: comment.into_iter().collect(),
        }
    }
}

/// A time as a table property says it.
fn interval(time: Duration) -> String {
    format!("interval {} seconds", time.as_secs())
}

fn parse_interval(text: &str) -> Option<Duration> {
    let seconds = text.strip_prefix("interval ")?.strip_suffix(" seconds")?;
    seconds.parse().ok().map(Duration::from_secs)
}

fn kind_as_text(kind: &serde_json::Value) -> String {
    if let Some(name) = kind.as_str() {
        return name.to_owned();
    }
    match (kind["type"].as_str(), kind["elementType"].as_str()) {
        (Some("array"), Some("string")) => "array<string>".to_owned(),
        _ => kind.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, kind: DataType, nullable: bool) -> Field {
        let comment = format!("what {name} is");
        Field::new(name, kind, nullable).with_metadata([("comment", comment)])
    }

    fn spec(fields: Vec<Field>) -> TableSpec {
        let schema = Arc::new(arrow_schema::Schema::new(fields));
        TableSpec::new(&schema, "ticks", vec!["coin".to_owned()]).unwrap()
    }

    fn ticks() -> TableSpec {
        let list = DataType::List(Arc::new(Field::new("element", DataType::Utf8, false)));
        let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        spec(vec![
            column("coin", DataType::Utf8, false),
            column("at", time, false),
            column("price", DataType::Float64, true),
            column("kinds", list, true),
        ])
    }

    #[test]
    fn a_description_reads_as_it_was_written() {
        let mut spec = ticks();
        spec.keep = Some(Duration::from_secs(86_400));
        spec.file_bytes = Some(1 << 20);
        let metadata = spec.to_metadata(MetaData::default());
        assert_eq!(metadata.partition_columns, ["date"]);
        assert_eq!(metadata.configuration["coinlake.sort"], "coin");
        assert_eq!(TableSpec::of_metadata(&metadata).unwrap(), spec);
        // What was set and is no more goes.
        assert_eq!(spec.evolved(&ticks()).unwrap(), ticks());
        let metadata = ticks().to_metadata(metadata);
        assert_eq!(TableSpec::of_metadata(&metadata).unwrap(), ticks());
    }

    #[test]
    fn a_table_takes_new_nullable_columns_and_comments_only() {
        let mut wanted = ticks();
        let rank = spec(vec![column("rank", DataType::Int64, true)])
            .columns
            .remove(0);
        wanted.columns.push(rank.clone());
        assert_eq!(ticks().evolved(&wanted).unwrap().columns[4], rank);
        // A release of before leaves them there.
        assert_eq!(wanted.evolved(&ticks()).unwrap(), wanted);

        let refused = |change: &dyn Fn(&mut TableSpec)| {
            let mut wanted = ticks();
            change(&mut wanted);
            ticks().evolved(&wanted).unwrap_err()
        };
        let reason = refused(&|spec| spec.columns[2].kind = "long".to_owned());
        assert!(
            reason.contains("`price` is of type double there, not long"),
            "{reason}"
        );
        let reason = refused(&|spec| spec.columns[0].nullable = true);
        assert!(reason.contains("holds no null"), "{reason}");
        let reason = refused(&|spec| {
            spec.columns.push(Column {
                nullable: false,
                ..rank.clone()
            })
        });
        assert!(reason.contains("make it nullable"), "{reason}");
        let reason = refused(&|spec| spec.columns[1].name = "AT".to_owned());
        assert!(reason.contains("only the case"), "{reason}");
        let reason = refused(&|spec| drop(spec.columns.remove(0)));
        assert!(reason.contains("`coin` is missing"), "{reason}");
    }

    #[test]
    fn columns_that_no_table_takes_are_refused_by_name() {
        let refused = |fields: Vec<Field>| {
            let schema = Arc::new(arrow_schema::Schema::new(fields));
            TableSpec::new(&schema, "", Vec::new()).unwrap_err()
        };
        let text = |name: &str| Field::new(name, DataType::Utf8, true);
        assert!(refused(vec![text("Date")]).contains("`Date`"));
        assert!(refused(vec![text("coin"), text("Coin")]).contains("only in case"));
        assert!(refused(vec![Field::new("x", DataType::Date32, true)]).contains("Date32"));
    }
}
