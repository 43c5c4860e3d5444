//! The shape of a config file: every key it may have. Both versions share one shape and are told apart afterwards.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, MapDeserializer};
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor,
};

use crate::config::scalars::{Bytes, CompressionName, Parameter, Span};
use crate::config::{OffsetStrategy, Partitions, StartOffset};

/// A config file as it stands.
pub(super) struct Document<S> {
    pub(super) api_version: Option<String>,
    pub(super) meta: Option<Meta>,
    pub(super) transforms: Vec<Transform>,
    pub(super) settings: S,
}

/// Reads a [`Document`] whose settings stand under `section`.
pub(super) struct DocumentSeed<'a, S> {
    section: &'a str,
    settings: PhantomData<S>,
}

impl<'a, S> DocumentSeed<'a, S> {
    pub(super) fn new(section: &'a str) -> Self {
        Self {
            section,
            settings: PhantomData,
        }
    }
}

impl<'de, S: DeserializeOwned> DeserializeSeed<'de> for DocumentSeed<'_, S> {
    type Value = Document<S>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Document<S>, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, S: DeserializeOwned> Visitor<'de> for DocumentSeed<'_, S> {
    type Value = Document<S>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a connector config with the keys apiVersion, meta, transforms and {}",
            self.section
        )
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Document<S>, A::Error> {
        let mut api_version = None;
        let mut meta = None;
        let mut transforms = None;
        let mut settings = None;
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "apiVersion" => api_version = Some(map.next_value()?),
                "meta" => meta = Some(map.next_value()?),
                "transforms" => transforms = map.next_value()?,
                section if section == self.section => settings = Some(map.next_value()?),
                other => {
                    return Err(A::Error::custom(format_args!(
                        "unknown key `{other}`; known here: apiVersion, meta, transforms, {}",
                        self.section
                    )));
                }
            }
        }
        let settings = match settings {
            Some(settings) => settings,
            // A connector that needs nothing may leave its section out.
            None => {
                let empty = std::iter::empty::<(String, String)>();
                let nothing: MapDeserializer<'_, _, serde::de::value::Error> =
                    MapDeserializer::new(empty);
                S::deserialize(nothing).map_err(|err| {
                    A::Error::custom(format_args!("section `{}` is missing: {err}", self.section))
                })?
            }
        };
        Ok(Document {
            api_version,
            meta,
            transforms: transforms.unwrap_or_default(),
            settings,
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Meta {
    pub(super) name: Option<String>,
    #[serde(rename = "type")]
    pub(super) type_: Option<String>,
    pub(super) version: Option<String>,
    pub(super) topic: Option<Topic>,
    pub(super) producer: Option<Producer>,
    pub(super) consumer: Option<Consumer>,
    pub(super) secrets: Option<Vec<SecretEntry>>,
    /// Older files have it; topics are created when they are missing, whatever it says.
    #[serde(alias = "create-topic", rename = "create_topic")]
    pub(super) _create_topic: Option<IgnoredAny>,
}

/// Only `meta.secrets`, of a file whose templates are not rendered yet.
#[derive(Deserialize)]
pub(super) struct SecretsOnly {
    pub(super) meta: Option<MetaSecrets>,
}

#[derive(Deserialize)]
pub(super) struct MetaSecrets {
    pub(super) secrets: Option<Vec<SecretEntry>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SecretEntry {
    pub(super) name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Producer {
    pub(super) linger: Option<Span>,
    pub(super) compression: Option<CompressionName>,
    #[serde(rename = "batch-size", alias = "batch_size")]
    pub(super) batch_size: Option<Bytes>,
    #[serde(rename = "max-request-size", alias = "max_request_size")]
    pub(super) max_request_size: Option<Bytes>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Consumer {
    #[serde(default)]
    pub(super) partition: Partitions,
    #[serde(rename = "max-bytes", alias = "max_bytes")]
    pub(super) max_bytes: Option<Bytes>,
    pub(super) id: Option<String>,
    pub(super) offset: Option<ConsumerOffset>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConsumerOffset {
    pub(super) start: Option<StartOffset>,
    pub(super) strategy: OffsetStrategy,
    #[serde(rename = "flush-period")]
    pub(super) flush_period: Option<Span>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Transform {
    pub(super) uses: String,
    #[serde(default)]
    pub(super) with: BTreeMap<String, Parameter>,
    pub(super) lookback: Option<Lookback>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Lookback {
    #[serde(default)]
    pub(super) last: u64,
    pub(super) age: Option<Span>,
}

/// `meta.topic`: a name in version 0.1.0, an object in 0.2.0.
pub(super) enum Topic {
    Name(String),
    Object(Box<TopicObject>),
}

impl<'de> Deserialize<'de> for Topic {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TopicVisitor;
        impl<'de> Visitor<'de> for TopicVisitor {
            type Value = Topic;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "a topic's name (apiVersion 0.1.0) or an object with meta.name (apiVersion 0.2.0)",
                )
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<Topic, E> {
                Ok(Topic::Name(name.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Topic, A::Error> {
                TopicObject::deserialize(MapAccessDeserializer::new(map))
                    .map(|object| Topic::Object(Box::new(object)))
            }
        }
        deserializer.deserialize_any(TopicVisitor)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TopicObject {
    #[serde(rename = "version")]
    pub(super) _version: Option<String>,
    pub(super) meta: TopicMeta,
    #[serde(default)]
    pub(super) partition: TopicPartition,
    #[serde(default)]
    pub(super) retention: Retention,
    pub(super) compression: Option<TopicCompression>,
    pub(super) deduplication: Option<Deduplication>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TopicMeta {
    pub(super) name: String,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct TopicPartition {
    pub(super) count: Option<u32>,
    pub(super) max_size: Option<Bytes>,
    pub(super) replication: Option<u32>,
    pub(super) ignore_rack_assignment: Option<bool>,
    pub(super) maps: Option<Vec<PartitionMap>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PartitionMap {
    pub(super) id: u32,
    pub(super) replicas: Vec<i32>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Retention {
    pub(super) time: Option<Span>,
    pub(super) segment_size: Option<Bytes>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TopicCompression {
    #[serde(rename = "type")]
    pub(super) type_: CompressionName,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Deduplication {
    pub(super) bounds: Bounds,
    pub(super) filter: Filter,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Bounds {
    pub(super) count: std::num::NonZeroU64,
    pub(super) age: Option<Span>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Filter {
    pub(super) transform: FilterTransform,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FilterTransform {
    pub(super) uses: String,
    #[serde(default)]
    pub(super) with: BTreeMap<String, String>,
}
