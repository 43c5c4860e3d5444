//! What a demo did, counted from the topics themselves.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use anyhow::{Context, Result};
use connector_runtime::cluster::Client;
use connector_runtime::reader;
use connector_runtime::record::Record;
use market::names::{layer, topic};
use serde::Serialize;
use serde_json::Value;

use super::end_offsets::records_by_layer;

/// Records read from a topic at a time.
const CHUNK_RECORDS: i64 = 20_000;

/// Its JSON form is an interface that scripts rely on.
#[derive(Debug, Serialize)]
pub(crate) struct Summary {
    /// Records that each layer's topic has had, expired ones included.
    records: BTreeMap<&'static str, u64>,
    /// Of the records that retention has not deleted, as `alerts_by_severity` is.
    rejected_by_reason: BTreeMap<String, u64>,
    alerts_by_severity: BTreeMap<String, u64>,
    lake: String,
    /// From the start of the command until the market was drained.
    seconds: f64,
    /// Raw records of this run divided by `seconds`.
    records_per_second: f64,
    /// From a record's arrival in crypto-raw to that of its feature row in crypto-features.
    latency_ms: Latency,
    /// From a record's arrival in crypto-raw to that of its alert in crypto-alerts.
    alert_latency_ms: Latency,
    /// `None` where the system does not say.
    peak_rss_mb: Option<f64>,
}

/// Percentiles of the records of this run, in milliseconds; `None` if there are none, or if retention has deleted records on the way.
#[derive(Debug, Default, Serialize)]
struct Latency {
    p50: Option<i64>,
    p99: Option<i64>,
    max: Option<i64>,
}

impl Summary {
    /// Reads the topics after a run of `elapsed` whose source sent `sent` records.
    pub(crate) async fn collect(
        client: &Client,
        lake: &str,
        sent: u64,
        elapsed: Duration,
    ) -> Result<Self> {
        // First, because reading whole topics below needs memory of its own.
        let peak_rss_mb = peak_rss_mb();
        let records = records_by_layer(client).await?;
        let seconds = elapsed.as_secs_f64();
        // Records of a run before have waited for this one.
        let first_raw = records[layer::RAW].saturating_sub(sent).cast_signed();
        let (latency_ms, alert_latency_ms) = latencies(client, first_raw).await?;
        Ok(Self {
            rejected_by_reason: count_by(client, topic::REJECTED, "reason").await?,
            alerts_by_severity: count_by(client, topic::ALERTS, "severity").await?,
            lake: lake.to_owned(),
            seconds,
            records_per_second: sent as f64 / seconds,
            latency_ms,
            alert_latency_ms,
            peak_rss_mb,
            records,
        })
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |counts: &BTreeMap<String, u64>| {
            let parts: Vec<_> = counts
                .iter()
                .map(|(name, count)| format!("{count} {name}"))
                .collect();
            parts.join(", ")
        };
        for layer in layer::ALL {
            let details = match layer {
                layer::REJECTED => list(&self.rejected_by_reason),
                layer::ALERTS => list(&self.alerts_by_severity),
                _ => String::new(),
            };
            let line = format!("{layer:<11} {:>9}  {details}", self.records[layer]);
            writeln!(f, "{}", line.trim_end())?;
        }
        writeln!(f, "lake        {}", self.lake)?;
        writeln!(f, "latency     {}", self.latency_ms)?;
        writeln!(f, "to alerts   {}", self.alert_latency_ms)?;
        write!(
            f,
            "{:.1} s, {:.0} records/s",
            self.seconds, self.records_per_second
        )?;
        match self.peak_rss_mb {
            Some(peak) => write!(f, ", peak memory {peak:.0} MB"),
            None => Ok(()),
        }
    }
}

/// How many records of a topic have each value of a text field.
async fn count_by(client: &Client, topic: &str, field: &str) -> Result<BTreeMap<String, u64>> {
    let mut counts = BTreeMap::new();
    for_each(client, topic, |record| {
        let value: Value = serde_json::from_slice(&record.value).with_context(|| {
            format!(
                "the record at offset {} of {topic} is not JSON",
                record.offset
            )
        })?;
        let text = value.get(field).and_then(Value::as_str);
        let text = text.unwrap_or("of no kind").to_owned();
        *counts.entry(text).or_default() += 1;
        Ok(())
    })
    .await?;
    Ok(counts)
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |value: Option<i64>| value.map_or_else(|| "-".to_owned(), |ms| format!("{ms} ms"));
        let Self { p50, p99, max } = *self;
        write!(f, "p50 {}, p99 {}, max {}", ms(p50), ms(p99), ms(max))
    }
}

impl Latency {
    /// By nearest rank: the value at `round(share * (n - 1))` of the sorted ones.
    fn of(mut latencies_ms: Vec<i64>) -> Self {
        latencies_ms.sort_unstable();
        let at = |share: f64| {
            let last = latencies_ms.len().checked_sub(1)?;
            Some(latencies_ms[(last as f64 * share).round() as usize])
        };
        Self {
            p50: at(0.5),
            p99: at(0.99),
            max: at(1.0),
        }
    }
}

/// Latencies of feature rows and of alerts that go back to a raw record from offset `first_raw` on; `source_offset` leads each to it.
async fn latencies(client: &Client, first_raw: i64) -> Result<(Latency, Latency)> {
    // Offsets are indices into the lists below only as long as retention has deleted no record.
    for topic in [topic::RAW, topic::CLEAN, topic::FEATURES] {
        if reader::offsets(client, topic, 0).await?.start > 0 {
            return Ok((Latency::default(), Latency::default()));
        }
    }
    let mut raw_ms = Vec::new();
    for_each(client, topic::RAW, |record| {
        raw_ms.push((record.offset >= first_raw).then_some(record.timestamp_ms));
        Ok(())
    })
    .await?;
    let (clean_ms, _) = follow(client, topic::CLEAN, &raw_ms).await?;
    let (features_ms, latency) = follow(client, topic::FEATURES, &clean_ms).await?;
    let (_, alert_latency) = follow(client, topic::ALERTS, &features_ms).await?;
    Ok((latency, alert_latency))
}

/// Reads a topic and returns, for each of its records, when the raw record it goes back to arrived (`None`: not in this run), and the
/// latencies from then on. `parents_ms` is the first list of the topic that this one is made of, by offset.
async fn follow(
    client: &Client,
    topic: &str,
    parents_ms: &[Option<i64>],
) -> Result<(Vec<Option<i64>>, Latency)> {
    let (mut raw_ms, mut latencies_ms) = (Vec::new(), Vec::new());
    for_each(client, topic, |record| {
        let origin = parents_ms
            .get(source_offset(topic, &record)?)
            .copied()
            .flatten();
        raw_ms.push(origin);
        latencies_ms.extend(origin.map(|origin| record.timestamp_ms - origin));
        Ok(())
    })
    .await?;
    Ok((raw_ms, Latency::of(latencies_ms)))
}

fn source_offset(topic: &str, record: &Record) -> Result<usize> {
    #[derive(serde::Deserialize)]
    struct Source {
        source_offset: usize,
    }
    let source: Source = serde_json::from_slice(&record.value).with_context(|| {
        format!(
            "the source_offset of the record at offset {} of {topic} cannot be read",
            record.offset
        )
    })?;
    Ok(source.source_offset)
}

/// Calls `each` with every record of a topic's only partition, in order.
async fn for_each(
    client: &Client,
    topic: &str,
    mut each: impl FnMut(Record) -> Result<()>,
) -> Result<()> {
    let range = reader::offsets(client, topic, 0).await?;
    let mut from = range.start;
    while from < range.end {
        let until = range.end.min(from + CHUNK_RECORDS);
        for record in reader::read_range(client, topic, 0, from..until).await? {
            each(record)?;
        }
        from = until;
    }
    Ok(())
}

/// The peak memory of this process, in units of 10^6 bytes.
fn peak_rss_mb() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let kib = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?
        .trim()
        .strip_suffix(" kB")?;
    Some(kib.trim().parse::<f64>().ok()? * 1024.0 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_sorted_latencies() {
        let of = |latencies_ms| {
            let Latency { p50, p99, max } = Latency::of(latencies_ms);
            [p50, p99, max]
        };
        assert_eq!(of(Vec::new()), [None; 3]);
        assert_eq!(of(vec![7]), [Some(7); 3]);
        assert_eq!(
            of((0..=100).rev().collect()),
            [Some(50), Some(99), Some(100)]
        );
    }
}
