//! docs/tables.md and docs/schemas/: what readers of the lake and the topics may rely on, made from the configuration of the
//! stages. `cargo xtask docs` writes them.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::generated::assert_up_to_date;
use crate::workspace::root;

/// The stages, in the order of the data's way.
const STAGES: [&str; 5] = ["raw", "clean", "features", "alerts", "predictions"];

/// What every table has beside.
const LINEAGE: [(&str, &str, &str); 4] = [
    ("source_topic", "string", "The topic of the input record."),
    ("source_partition", "int", "Its partition."),
    ("source_offset", "long", "Its offset there."),
    (
        "date",
        "date",
        "The day (UTC) of the row, which parts the table; null when the row has no time.",
    ),
];

#[derive(Deserialize)]
struct Stage {
    meta: Meta,
    parquet: Parquet,
}

#[derive(Deserialize)]
struct Meta {
    topic: String,
}

#[derive(Deserialize)]
struct Parquet {
    destinations: Vec<Destination>,
}

#[derive(Deserialize)]
struct Destination {
    when: Option<String>,
    topic: Option<String>,
    layer: Option<Layer>,
}

#[derive(Deserialize)]
struct Layer {
    name: String,
    date: String,
    #[serde(default)]
    comment: String,
    columns: Vec<Column>,
}

#[derive(Deserialize)]
struct Column {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default = "yes")]
    nullable: bool,
    #[serde(default)]
    comment: String,
}

fn yes() -> bool {
    true
}

#[test]
fn the_page_of_tables_and_the_schemas_of_topics_are_up_to_date() {
    let stages: Vec<Stage> = STAGES.iter().map(|name| read(name)).collect();
    let mut files = BTreeMap::from([("docs/tables.md".to_owned(), page(&stages))]);
    for destination in stages.iter().flat_map(|stage| &stage.parquet.destinations) {
        if let (Some(topic), Some(layer)) = (&destination.topic, &destination.layer) {
            let schema = schema(topic, destination.when.as_deref(), layer);
            let schema = serde_json::to_string_pretty(&schema).unwrap() + "\n";
            files.insert(format!("docs/schemas/{topic}.json"), schema);
        }
    }
    for (path, contents) in files {
        assert_up_to_date(&path, &contents);
    }
}

fn read(stage: &str) -> Stage {
    let path = root().join(format!("fluvio-config/connectors/stage-{stage}.yaml"));
    let text = fs::read_to_string(&path).expect("each stage has a file");
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn page(stages: &[Stage]) -> String {
    let mut page = String::from(
        "# Tables and topics\n\n\
         Made by `cargo xtask docs` from fluvio-config/connectors/stage-*.yaml: change those, not this page. The same \
         comments are in the tables' own schemas, so Spark's `DESCRIBE` shows them.\n\n\
         ## What you may rely on\n\n\
         - A minor version adds nullable columns to tables and fields to topics' records, and values to `kinds`, `reason` and \
         `severity` are only added. Readers ignore what they do not know.\n\
         - Only a major version renames or removes a column, changes its type, unit or formula, or makes it nullable. A formula's \
         change raises `features_version` in any case.\n\
         - Older rows have null in a column that came later.\n\
         - (`source_topic`, `source_partition`, `source_offset`) is unique in a table, and names the record that a row was made \
         from.\n\
         - The schema of each topic's records is in [schemas](schemas).\n\n\
         Every table has these columns beside its own:\n\n\
         | column | type | meaning |\n|---|---|---|\n",
    );
    for (name, kind, meaning) in LINEAGE {
        let _ = writeln!(page, "| `{name}` | {kind} | {meaning} |");
    }
    for stage in stages {
        for destination in &stage.parquet.destinations {
            let Some(layer) = &destination.layer else {
                continue;
            };
            let _ = write!(page, "\n## {}\n\n{}", layer.name, layer.comment);
            let _ = write!(
                page,
                "{}Made from `{}`",
                if layer.comment.is_empty() { "" } else { " " },
                stage.meta.topic
            );
            if let Some(topic) = &destination.topic {
                let _ = write!(page, "; the same records are in the topic `{topic}`");
            }
            let _ = write!(page, ". Its `date` is that of `{}`.\n\n", layer.date);
            page.push_str("| column | type | null | meaning |\n|---|---|---|---|\n");
            for column in &layer.columns {
                let _ = writeln!(
                    page,
                    "| `{}` | {} | {} | {} |",
                    column.name,
                    kind(&column.kind),
                    if column.nullable { "yes" } else { "no" },
                    column.comment.replace('|', "\\|")
                );
            }
        }
    }
    page
}

/// A column's type as readers of the table see it.
fn kind(kind: &str) -> &str {
    match kind {
        "int64" => "long",
        "float64" => "double",
        "bool" => "boolean",
        "strings" => "array of string",
        other => other,
    }
}

/// The JSON Schema of a topic's records.
fn schema(topic: &str, status: Option<&str>, layer: &Layer) -> Value {
    let mut properties = Map::new();
    let offset = "The offset of the input record that this one was made from.";
    properties.insert(
        "source_offset".to_owned(),
        json!({"type": "integer", "description": offset}),
    );
    if let Some(status) = status {
        properties.insert("status".to_owned(), json!({"const": status}));
    }
    let mut required = vec!["source_offset"];
    required.extend(status.map(|_| "status"));
    for column in &layer.columns {
        let plain = match column.kind.as_str() {
            "string" => json!("string"),
            "int64" | "timestamp" => json!("integer"),
            "float64" => json!("number"),
            "bool" => json!("boolean"),
            "strings" => json!("array"),
            other => panic!(
                "column `{}` of {}: no JSON type for {other}",
                column.name, layer.name
            ),
        };
        let mut property = Map::new();
        let kind = if column.nullable {
            json!([plain, "null"])
        } else {
            plain
        };
        property.insert("type".to_owned(), kind);
        if column.kind == "strings" {
            property.insert("items".to_owned(), json!({"type": "string"}));
        }
        let mut description = column.comment.clone();
        if column.kind == "timestamp" {
            // The tables hold timestamps, the topics numbers.
            description.push_str(if description.is_empty() { "" } else { " " });
            description.push_str("Milliseconds since the epoch.");
        }
        property.insert("description".to_owned(), description.into());
        properties.insert(column.name.clone(), property.into());
        if !column.nullable {
            required.push(&column.name);
        }
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": topic,
        "description": layer.comment,
        "type": "object",
        "properties": properties,
        "required": required,
    })
}
