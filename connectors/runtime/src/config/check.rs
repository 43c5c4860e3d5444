//! From the document to the settings of `meta`: what parsing alone cannot tell is checked here.

use fluvio::metadata::topic::{Bounds, Deduplication, Filter, Transform};

use crate::config::document;
use crate::config::error::ConfigError;
use crate::config::lines::line_of;
use crate::config::meta::{ConsumerParameters, Meta, ProducerParameters};
use crate::topic::TopicSettings;

/// Checks the version, what must be there and what must fit together.
pub(super) fn check_meta(
    text: &str,
    api_version: Option<&str>,
    meta: Option<document::Meta>,
) -> Result<Meta, ConfigError> {
    let invalid = |key: &str, problem: String| ConfigError::Invalid {
        file: None,
        line: line_of(text, key),
        problem,
    };
    let topic_is_object = match api_version {
        // The oldest files have none and read as 0.1.0.
        None | Some("0.0.0" | "0.1.0") => false,
        Some("0.2.0") => true,
        Some(other) => {
            return Err(invalid(
                "apiVersion",
                format!("apiVersion `{other}` is unknown: use 0.1.0 or 0.2.0"),
            ));
        }
    };
    let meta = meta.ok_or_else(|| {
        invalid(
            "meta",
            "section `meta` is missing: it names the connector and its topic".to_owned(),
        )
    })?;
    let required = |key: &str, what: &str, value: Option<String>| {
        value
            .filter(|value| !value.is_empty())
            .ok_or_else(|| invalid("meta", format!("`meta.{key}` is missing: {what}")))
    };
    let topic = meta.topic.ok_or_else(|| {
        invalid(
            "meta",
            "`meta.topic` is missing: name the topic to read or write".to_owned(),
        )
    })?;
    let topic = match topic {
        document::Topic::Name(name) if topic_is_object => {
            return Err(invalid(
                "topic",
                format!(
                    "apiVersion 0.2.0 wants `meta.topic` as an object: write `topic: {{ meta: {{ name: {name} }} }}`, or \
                     use apiVersion 0.1.0"
                ),
            ));
        }
        document::Topic::Object(_) if !topic_is_object => {
            return Err(invalid(
                "topic",
                "apiVersion 0.1.0 wants `meta.topic` as a name: an object needs apiVersion 0.2.0"
                    .to_owned(),
            ));
        }
        document::Topic::Name(name) => TopicSettings::named(required(
            "topic",
            "name the topic to read or write",
            Some(name),
        )?),
        document::Topic::Object(object) => {
            topic_settings(*object).map_err(|problem| invalid("topic", problem))?
        }
    };
    let name = required("name", "give this connector a name", meta.name)?;
    required("type", "e.g. `type: parquet-sink`", meta.type_)?;
    required(
        "version",
        "the connector's version, e.g. `version: 0.1.0`",
        meta.version,
    )?;
    Ok(Meta {
        name,
        topic,
        producer: meta.producer.map(Into::into).unwrap_or_default(),
        consumer: meta.consumer.map(Into::into).unwrap_or_default(),
    })
}

fn topic_settings(object: document::TopicObject) -> Result<TopicSettings, String> {
    let partition = object.partition;
    let mut replica_assignment = Vec::new();
    for map in partition.maps.unwrap_or_default() {
        replica_assignment.push((map.id, map.replicas));
    }
    if partition.count == Some(0) {
        return Err("`meta.topic.partition.count` is 0: a topic has at least one partition".into());
    }
    let assigned = u32::try_from(replica_assignment.len()).unwrap_or(u32::MAX);
    if assigned > 0 && partition.count.is_some_and(|count| count != assigned) {
        return Err(format!(
            "`meta.topic.partition.maps` places {assigned} partitions, `count` asks for another number: leave one out"
        ));
    }
    let segment_size_bytes = match object.retention.segment_size {
        None => None,
        Some(size) => Some(u32::try_from(size.0).map_err(|_| {
            "`meta.topic.retention.segment-size` is above 4 GiB, more than a segment can hold"
                .to_owned()
        })?),
    };
    Ok(TopicSettings {
        name: object.meta.name,
        partitions: partition
            .count
            .or_else(|| (assigned > 0).then_some(assigned)),
        replication: partition.replication,
        ignore_rack_assignment: partition.ignore_rack_assignment.unwrap_or(false),
        replica_assignment,
        retention: object.retention.time.map(|span| span.0),
        segment_size_bytes,
        partition_size_bytes_max: partition.max_size.map(|size| size.0),
        compression: object.compression.and_then(|it| it.type_.0),
        deduplication: object.deduplication.map(|it| Deduplication {
            bounds: Bounds {
                count: it.bounds.count.get(),
                age: it.bounds.age.map(|span| span.0),
            },
            filter: Filter {
                transform: Transform {
                    uses: it.filter.transform.uses,
                    with: it.filter.transform.with,
                },
            },
        }),
    })
}

impl From<document::Producer> for ProducerParameters {
    fn from(raw: document::Producer) -> Self {
        Self {
            compression: raw.compression.and_then(|name| name.0),
        }
    }
}

impl From<document::Consumer> for ConsumerParameters {
    fn from(raw: document::Consumer) -> Self {
        Self {
            partition: raw.partition,
            id: raw.id,
        }
    }
}
