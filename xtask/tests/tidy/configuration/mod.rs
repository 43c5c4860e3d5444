//! docs/configuration.md, made from the doc comments of the settings. `cargo xtask docs` writes it.
//!
//! - `rust` reads settings from the sources.
//! - `environment` lists the environment variables.

mod environment;
mod rust;

use std::collections::BTreeSet;
use std::fmt::Write;

use syn::Type;

use self::rust::{Key, Source, Value, argument, type_name};
use crate::generated::assert_up_to_date;
use crate::workspace::root;

#[test]
fn the_configuration_page_is_up_to_date() {
    assert_up_to_date("docs/configuration.md", &page());
}

fn page() -> String {
    let folder = |name: &str| root().join(name).join("src");
    // The file alone: other files have structs of the same names.
    let file = |name: &str, structure: &str| Source::of_file_with(&folder(name), structure);
    let mut page = String::from(
        "# Configuration\n\n\
         Made by `cargo xtask docs` from the doc comments of the settings: change those, not this page.\n\n\
         `coinlake up` reads `coinlake.yaml`, a connector its own YAML file (`--config`). Unknown keys are refused. In a connector's file, \
         `${{ secrets.NAME }}` is replaced by a secret that `meta.secrets` lists, from the environment or from the file of \
         `--secrets`. Durations are written like `500ms`, \
         `60s` or `1h 30m`, sizes like `64 MiB`.\n\n\
         - [coinlake up](#coinlake-up)\n\
         - [coingecko-source](#coingecko-source)\n\
         - [parquet-sink](#parquet-sink)\n\
         - [Every connector](#every-connector)\n\
         - [Webhook](#webhook)\n\
         - [Environment variables](#environment-variables)\n\n\
         Command lines explain themselves: `coinlake --help`, `parquet-sink --help`. The SmartModules' parameters are in \
         [smartmodules/README.md](../smartmodules/README.md).\n",
    );
    page.push_str("\n## coinlake up\n\n`coinlake init` writes the file with comments, `coinlake check` checks it.\n");
    let up = file("cli", "Settings");
    Sections::new(&up).add(&mut page, "coinlake.yaml", "Settings");
    page.push_str("\n## coingecko-source\n");
    let coingecko = Source::of_folder(&folder("connectors/coingecko-source"));
    Sections::new(&coingecko).add(&mut page, "coingecko", "SourceSettings");
    page.push_str("\n## parquet-sink\n");
    let parquet = file("connectors/parquet-sink", "ParquetSettings");
    Sections::new(&parquet).add(&mut page, "parquet", "ParquetSettings");
    page.push_str("\n## Every connector\n\n`apiVersion` is `0.1.0` (or absent) or `0.2.0`.\n");
    let runtime = file("connectors/runtime", "TopicObject");
    let mut sections = Sections::new(&runtime);
    sections.add(&mut page, "meta", "Meta");
    sections.add(&mut page, "transforms[]", "Transform");
    sections.add(&mut page, "meta.topic (apiVersion 0.2.0)", "TopicObject");
    page.push_str("\n## Webhook\n");
    let webhook = Source::of_folder(&folder("connectors/webhook-notifier"));
    Sections::new(&webhook).add(&mut page, "webhook", "WebhookSettings");
    page.push_str("\nThe same as options of `coinlake up` and `coinlake notify`:\n\n");
    page.push_str("| option | meaning |\n|---|---|\n");
    for (name, doc) in webhook.options("WebhookArgs") {
        let _ = writeln!(page, "| `{name}` | {} |", sentence(&doc));
    }
    page.push_str("\n## Environment variables\n\n| variable | meaning |\n|---|---|\n");
    for (name, meaning) in environment::VARIABLES
        .iter()
        .chain(environment::OF_LIBRARIES)
    {
        let _ = writeln!(page, "| `{name}` | {meaning} |");
    }
    page
}

/// The tables of a section and of those inside it.
struct Sections<'a> {
    source: &'a Source,
    seen: BTreeSet<String>,
}

impl<'a> Sections<'a> {
    fn new(source: &'a Source) -> Self {
        Self {
            source,
            seen: BTreeSet::new(),
        }
    }

    fn add(&mut self, page: &mut String, key: &str, structure: &str) {
        if !self.seen.insert(structure.to_owned()) {
            return;
        }
        let _ = write!(
            page,
            "\n### `{key}`\n\n{}\n\n| key | type | default | meaning |\n|---|---|---|---|\n",
            sentence(&self.source.about(structure))
        );
        let keys = self.source.keys(structure);
        for item in &keys {
            let _ = writeln!(
                page,
                "| `{}` | {} | {} | {} |",
                item.name,
                self.kind(&item.kind),
                default(&item.default),
                sentence(&meaning(self.source, item))
            );
        }
        let plain = key.split(' ').next().unwrap_or(key);
        let inside = match plain {
            // The whole file: its sections are at the top.
            "coinlake.yaml" => String::new(),
            section => format!("{section}."),
        };
        for item in &keys {
            let (inner, place) = match type_name(&item.kind).as_str() {
                "Vec" => (argument(&item.kind).unwrap_or(&item.kind), "[]"),
                "Box" => (argument(&item.kind).unwrap_or(&item.kind), ""),
                "BTreeMap" => {
                    let value = argument(&item.kind).unwrap_or(&item.kind);
                    let optional = type_name(value) == "Option";
                    let value = argument(value).filter(|_| optional).unwrap_or(value);
                    (value, ".NAME")
                }
                _ => (&item.kind, ""),
            };
            let inner = type_name(inner);
            if self.source.has_struct(&inner) {
                self.add(page, &format!("{inside}{}{place}", item.name), &inner);
            }
        }
    }

    /// A type in an operator's words.
    fn kind(&self, kind: &Type) -> String {
        let inner = || self.kind(argument(kind).unwrap_or(kind));
        match type_name(kind).as_str() {
            "String" | "CompressionName" | "OffsetStrategy" | "HostPort" | "Severity" => {
                "text".to_owned()
            }
            "PathBuf" => "path".to_owned(),
            "Address" => "`IP:PORT` or a port".to_owned(),
            // Sections that have tables of their own.
            "SourceSettings" | "WebhookSettings" if !self.source.has_struct(&type_name(kind)) => {
                "map".to_owned()
            }
            "SecretString" => "text, secret".to_owned(),
            "Duration" | "Span" => "duration".to_owned(),
            "ByteSize" | "Bytes" => "size".to_owned(),
            "bool" => "`true` or `false`".to_owned(),
            "usize" | "u32" | "u64" | "i32" | "i64" | "NonZeroU64" => "number".to_owned(),
            "Vec" => format!("list of {}", inner()),
            "BTreeMap" => format!("map to {}", inner()),
            "Option" => inner(),
            "Topic" | "StartOffset" => "text or map".to_owned(),
            "Partitions" => "text, number or list".to_owned(),
            "IgnoredAny" | "Parameter" => "anything".to_owned(),
            name if self.source.has_struct(name) => "map".to_owned(),
            name => match self.source.variants(name) {
                Some(_) => "one of".to_owned(),
                None => panic!("unknown type {name}: name it in xtask/tests/tidy/configuration"),
            },
        }
    }
}

fn default(value: &Value) -> String {
    match value {
        Value::Required => "**required**".to_owned(),
        Value::Absent => String::new(),
        Value::Given(text) => text.clone(),
    }
}

/// The doc comment, and the values of an enum.
fn meaning(source: &Source, key: &Key) -> String {
    let mut text = sentence(&key.doc);
    // The default has a column of its own.
    if let Value::Given(value) = &key.default {
        text = text.replace(&format!(" Default {value}."), "");
    }
    if let Some(variants) = source.variants(&type_name(&key.kind)) {
        for (name, doc) in variants {
            let _ = write!(text, "<br>`{name}`: {doc}");
        }
    }
    text
}

/// With a full stop.
fn sentence(text: &str) -> String {
    match text.ends_with(['.', ':', ')', '`']) || text.is_empty() {
        true => text.to_owned(),
        false => format!("{text}."),
    }
}
