//! The values a config writes in more than one way: durations, sizes, compressions, partitions, JSON parameters.

use std::fmt;
use std::time::Duration;

use bytesize::ByteSize;
use fluvio::Compression;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Unexpected, Visitor};

use crate::config::meta::Partitions;

/// A duration: `500ms`, `10s`, `1h 30m`, or the `secs` and `nanos` that Fluvio's own tools write.
#[derive(Debug, Clone, Copy)]
pub struct Span(pub Duration);

const SPAN_EXPECTED: &str = "a duration with its unit, such as 500ms, 10s, 2m or 1h";

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SpanVisitor;
        impl<'de> Visitor<'de> for SpanVisitor {
            type Value = Span;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(SPAN_EXPECTED)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Span, E> {
                humantime::parse_duration(text)
                    .map(Span)
                    .map_err(|_| E::invalid_value(Unexpected::Str(text), &self))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Span, A::Error> {
                #[derive(serde::Deserialize)]
                #[serde(deny_unknown_fields)]
                struct Parts {
                    secs: u64,
                    nanos: u32,
                }
                let parts = Parts::deserialize(serde::de::value::MapAccessDeserializer::new(map))?;
                Ok(Span(Duration::new(parts.secs, parts.nanos)))
            }
        }
        deserializer.deserialize_any(SpanVisitor)
    }
}

/// A number of bytes: `1048576`, `1 MB`, `16 MiB`.
#[derive(Debug, Clone, Copy)]
pub struct Bytes(pub u64);

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct BytesVisitor;
        impl Visitor<'_> for BytesVisitor {
            type Value = Bytes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a size in bytes, such as 1048576, 1 MB or 16 MiB")
            }

            fn visit_u64<E: Error>(self, bytes: u64) -> Result<Bytes, E> {
                Ok(Bytes(bytes))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Bytes, E> {
                text.parse::<ByteSize>()
                    .map(|size| Bytes(size.as_u64()))
                    .map_err(|_| E::invalid_value(Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_any(BytesVisitor)
    }
}

/// A compression by name, in any case; `Any` is what a topic says that demands none.
#[derive(Debug, Clone, Copy)]
pub(super) struct CompressionName(pub(super) Option<Compression>);

impl<'de> Deserialize<'de> for CompressionName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        if name.eq_ignore_ascii_case("any") {
            return Ok(Self(None));
        }
        name.parse().map(|it| Self(Some(it))).map_err(|_| {
            D::Error::invalid_value(
                Unexpected::Str(&name),
                &"one of none, gzip, snappy, lz4, zstd",
            )
        })
    }
}

impl<'de> Deserialize<'de> for Partitions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PartitionsVisitor;
        impl<'de> Visitor<'de> for PartitionsVisitor {
            type Value = Partitions;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`all`, a partition's number, or a list of numbers")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Partitions, E> {
                if text == "all" {
                    Ok(Partitions::All)
                } else {
                    Err(E::invalid_value(Unexpected::Str(text), &self))
                }
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Partitions, E> {
                u32::try_from(number)
                    .map(Partitions::One)
                    .map_err(|_| E::invalid_value(Unexpected::Unsigned(number), &self))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Partitions, A::Error> {
                let mut many = Vec::new();
                while let Some(partition) = seq.next_element()? {
                    many.push(partition);
                }
                if many.is_empty() {
                    return Err(A::Error::invalid_value(
                        Unexpected::Other("an empty list"),
                        &"a list of at least one partition",
                    ));
                }
                Ok(Partitions::Many(many))
            }
        }
        deserializer.deserialize_any(PartitionsVisitor)
    }
}

/// Where to start reading: only checked, no connector reads it.
pub(super) struct StartOffset;

impl<'de> Deserialize<'de> for StartOffset {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct StartVisitor;
        impl<'de> Visitor<'de> for StartVisitor {
            type Value = StartOffset;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "`beginning`, `end`, or one of the keys `absolute`, `from-beginning`, `from-end` with a number",
                )
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<StartOffset, E> {
                match text {
                    "beginning" | "end" => Ok(StartOffset),
                    _ => Err(E::invalid_value(Unexpected::Str(text), &self)),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<StartOffset, A::Error> {
                let key: Option<String> = map.next_key()?;
                match key.as_deref() {
                    Some("absolute") => drop(map.next_value::<i64>()?),
                    Some("from-beginning" | "from-end") => drop(map.next_value::<u32>()?),
                    Some(other) => {
                        return Err(A::Error::invalid_value(Unexpected::Str(other), &self));
                    }
                    None => return Err(A::Error::invalid_length(0, &self)),
                }
                match map.next_key::<String>()? {
                    None => Ok(StartOffset),
                    Some(other) => Err(A::Error::invalid_value(Unexpected::Str(&other), &self)),
                }
            }
        }
        deserializer.deserialize_any(StartVisitor)
    }
}

/// Who stores the position: only checked, no connector reads it.
pub(super) struct OffsetStrategy;

impl<'de> Deserialize<'de> for OffsetStrategy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        match name.as_str() {
            "none" | "manual" | "auto" => Ok(Self),
            other => Err(D::Error::invalid_value(
                Unexpected::Str(other),
                &"one of none, manual, auto",
            )),
        }
    }
}

/// A SmartModule's parameter: a string as it is, anything else as JSON.
#[derive(Debug, Clone)]
pub struct Parameter(pub String);

impl<'de> Deserialize<'de> for Parameter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        let text = match value {
            serde_json::Value::String(text) => text,
            other => other.to_string(),
        };
        // A string's length on the wire is a signed number of 16 bits, which the encoder does not check.
        if i16::try_from(text.len()).is_err() {
            return Err(D::Error::custom(format_args!(
                "a SmartModule parameter of {} bytes: the protocol carries at most 32767",
                text.len()
            )));
        }
        Ok(Self(text))
    }
}
