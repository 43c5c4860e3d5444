//! What a demo did, counted from the topics themselves.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use connector_runtime::cluster::Client;
use connector_runtime::reader;
use connector_runtime::record::Record;
use serde::Serialize;
use serde_json::Value;

use crate::platform::ends;

/// Records read from a topic at a time.
const CHUNK_RECORDS: i64 = 20_000;

/// The summary; its JSON form is part of the command's contract.
#[derive(Debug, Serialize)]
pub struct Summary {
    /// Records in each topic.
    records: BTreeMap<&'static str, u64>,
    rejected_by_reason: BTreeMap<String, u64>,
    alerts_by_severity: BTreeMap<String, u64>,
    lake: String,
    /// From the start of the command until the market was drained.
    seconds: f64,
    /// Raw records by seconds.
    records_per_second: f64,
    /// From a record's arrival in crypto-raw to its arrival in crypto-features.
    latency_ms: Latency,
    /// The same to its alert's arrival in crypto-alerts.
    alert_latency_ms: Latency,
    peak_rss_mb: f64,
}

/// How long after a raw record what became of it arrived; nothing where nothing became of any.
#[derive(Debug, Default, Serialize)]
struct Latency {
    p50: Option<i64>,
    p99: Option<i64>,
    max: Option<i64>,
}

impl Summary {
    /// Counts what lies in the topics after a run of `elapsed`.
    pub async fn collect(client: &Client, lake: &Path, elapsed: Duration) -> Result<Self> {
        // First: what follows reads whole topics.
        let peak_rss_mb = peak_rss_mb()?;
        let mut records = BTreeMap::new();
        for layer in [
            "raw",
            "clean",
            "rejected",
            "features",
            "alerts",
            "predictions",
        ] {
            let topic = format!("crypto-{layer}");
            records.insert(layer, ends(client, &topic).await?.iter().sum());
        }
        let seconds = elapsed.as_secs_f64();
        let (latency_ms, alert_latency_ms) = latencies(client).await?;
        Ok(Self {
            rejected_by_reason: count_by(client, "crypto-rejected", "reason").await?,
            alerts_by_severity: count_by(client, "crypto-alerts", "severity").await?,
            lake: lake.display().to_string(),
            seconds,
            records_per_second: records["raw"] as f64 / seconds,
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
                .map(|(name, n)| format!("{n} {name}"))
                .collect();
            parts.join(", ")
        };
        let r = &self.records;
        writeln!(f, "raw         {:>9}", r["raw"])?;
        writeln!(f, "clean       {:>9}", r["clean"])?;
        writeln!(
            f,
            "rejected    {:>9}  {}",
            r["rejected"],
            list(&self.rejected_by_reason)
        )?;
        writeln!(f, "features    {:>9}", r["features"])?;
        writeln!(
            f,
            "alerts      {:>9}  {}",
            r["alerts"],
            list(&self.alerts_by_severity)
        )?;
        writeln!(f, "predictions {:>9}", r["predictions"])?;
        writeln!(f, "lake        {}", self.lake)?;
        writeln!(f, "latency     {}", self.latency_ms)?;
        writeln!(f, "to alerts   {}", self.alert_latency_ms)?;
        write!(
            f,
            "{:.1} s, {:.0} records/s, peak memory {:.0} MB",
            self.seconds, self.records_per_second, self.peak_rss_mb
        )
    }
}

/// How often each value of a text field occurs in a topic.
async fn count_by(client: &Client, topic: &str, field: &str) -> Result<BTreeMap<String, u64>> {
    let mut counts = BTreeMap::new();
    for_each(client, topic, |record| {
        let value: Value = serde_json::from_slice(&record.value).with_context(|| {
            format!(
                "{topic} holds a record that is not JSON, at offset {}",
                record.offset
            )
        })?;
        if let Some(text) = value.get(field).and_then(Value::as_str) {
            *counts.entry(text.to_owned()).or_default() += 1;
        }
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

/// Of feature rows, and of alerts: each is followed back to its raw record by `source_offset`.
async fn latencies(client: &Client) -> Result<(Latency, Latency)> {
    // Offsets are places in these lists only while retention has left the first record.
    for topic in ["crypto-raw", "crypto-clean", "crypto-features"] {
        if reader::offsets(client, topic, 0).await?.start > 0 {
            return Ok(Default::default());
        }
    }
    let mut raw_ms = Vec::new();
    for_each(client, "crypto-raw", |record| {
        raw_ms.push(Some(record.timestamp_ms));
        Ok(())
    })
    .await?;
    let (clean_ms, _) = follow(client, "crypto-clean", &raw_ms).await?;
    let (features_ms, latency) = follow(client, "crypto-features", &clean_ms).await?;
    let (_, alert_latency) = follow(client, "crypto-alerts", &features_ms).await?;
    Ok((latency, alert_latency))
}

/// When the raw record of each of a topic's records arrived, given that of what they were made from; and how much later
/// they did.
async fn follow(
    client: &Client,
    topic: &str,
    origins_ms: &[Option<i64>],
) -> Result<(Vec<Option<i64>>, Latency)> {
    let (mut raw_ms, mut latencies_ms) = (Vec::new(), Vec::new());
    for_each(client, topic, |record| {
        let origin = origins_ms.get(source_offset(&record)?).copied().flatten();
        raw_ms.push(origin);
        latencies_ms.extend(origin.map(|origin| record.timestamp_ms - origin));
        Ok(())
    })
    .await?;
    Ok((raw_ms, Latency::of(latencies_ms)))
}

fn source_offset(record: &Record) -> Result<usize> {
    #[derive(serde::Deserialize)]
    struct Source {
        source_offset: usize,
    }
    let source: Source = serde_json::from_slice(&record.value)
        .with_context(|| format!("record {} has no source_offset", record.offset))?;
    Ok(source.source_offset)
}

/// Calls `each` with the records of the platform's one partition, in order.
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

/// The most memory this process has had in use.
fn peak_rss_mb() -> Result<f64> {
    let status =
        std::fs::read_to_string("/proc/self/status").context("cannot read /proc/self/status")?;
    let kib = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|rest| rest.trim().strip_suffix(" kB"))
        .and_then(|kib| kib.trim().parse::<f64>().ok())
        .context("/proc/self/status has no VmHWM")?;
    Ok(kib * 1024.0 / 1e6)
}
