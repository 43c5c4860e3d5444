//! The stages raw, clean, features and alerts catch up on the same records as a PySpark job: from Kafka with all topics, from Kafka
//! with the alert topic only, as the original's code has it, and from files without topics.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::jars::jars;
use super::kafka::Kafka;
use super::python::Python;
use super::setup::{Setup, json_output};
use super::table::{Line, Target};
use crate::process::{run, workspace};
use crate::smartmodules;

const RECORDS: &str = "1000000";
const RAW: &str = "crypto-raw";

/// What PySpark does, and how often as fast Coinlake has to be on the embedded broker and on a cluster.
struct Peer {
    does: &'static str,
    result: Value,
    embedded: Target,
    cluster: Target,
}

pub(super) fn measure(setup: &Setup) -> Result<Vec<Line>> {
    let folder = setup.folder().join("catch-up");
    let input = folder.join("input");
    fs::create_dir_all(&folder)?;
    smartmodules::build()?;
    let ours = |profile: Option<&str>| -> Result<Value> {
        let mut ours = setup.bench_target("catch_up")?;
        ours.arg("--input").arg(&input).args(["--records", RECORDS]);
        if let Some(profile) = profile {
            ours.args(["--profile", profile]);
        }
        json_output(&mut ours)
    };
    let embedded = ours(None)?;
    let cluster = match &setup.profile {
        Some(profile) => Some((profile, ours(Some(profile))?)),
        None => None,
    };
    let mut lines = Vec::new();
    for peer in peers(setup, &folder, &input)? {
        lines.push(line(None, &embedded, &peer)?);
        if let Some((profile, ours)) = &cluster {
            lines.push(line(Some(profile), ours, &peer)?);
        }
    }
    Ok(lines)
}

fn peers(setup: &Setup, folder: &Path, input: &Path) -> Result<[Peer; 3]> {
    let scripts = workspace().join("connectors/parquet-sink/bench");
    let python = Python::with(
        &setup.folder().join("python-spark"),
        &scripts.join("catch_up_requirements.txt"),
    )?;
    let of_kafka = jars(&setup.folder().join("kafka"), &scripts.join("kafka.xml"))?;
    let of_spark = jars(&setup.folder().join("spark"), &scripts.join("spark.xml"))?;
    // Spark's output is as large as the input.
    let output = folder.join("spark");
    let job = || {
        let mut job = python.script(&scripts.join("catch_up.py"));
        job.arg(&output);
        job
    };
    let from_kafka = |outputs: &[&str]| -> Result<Value> {
        let kafka = Kafka::start(&of_kafka, &folder.join("kafka"))?;
        let mut fill = python.script(&scripts.join("fill_kafka.py"));
        run(fill.arg(input).args([kafka.address(), RAW]))?;
        let mut job = job();
        job.args(["--kafka", kafka.address(), "--topic", RAW, "--jars"]);
        job.arg(&of_spark);
        job.args(["--broker", &kafka.id().to_string(), "--outputs"]);
        result(job.args(outputs))
    };
    let peers = [
        Peer {
            does: "Kafka 3.9.1, all topics",
            result: from_kafka(&["clean", "features", "alerts"])?,
            embedded: Target::AtLeast(10.0),
            cluster: Target::AtLeast(6.0),
        },
        Peer {
            does: "Kafka 3.9.1, alert topic only",
            result: from_kafka(&["alerts"])?,
            embedded: Target::AtLeast(6.0),
            cluster: Target::None,
        },
        Peer {
            does: "files, no topics",
            result: result(job().arg("--files").arg(input))?,
            embedded: Target::None,
            cluster: Target::None,
        },
    ];
    for left in [output, folder.join("kafka")] {
        fs::remove_dir_all(left)?;
    }
    Ok(peers)
}

fn result(job: &mut Command) -> Result<Value> {
    json_output(job)
        .context("PySpark needs a Java runtime, 8 to 17 (Debian: openjdk-17-jre-headless)")
}

/// On a cluster, or on the embedded broker, whose processor time is counted with ours.
fn line(cluster: Option<&String>, ours: &Value, peer: &Peer) -> Result<Line> {
    let Peer { does, result, .. } = peer;
    for layer in ["raw", "clean", "features"] {
        let (a, b) = (&ours["rows"][layer], &result["rows"][layer]);
        ensure!(a == b, "{layer}: Coinlake has {a} rows, PySpark {b}");
    }
    let rate = |of: &Value| {
        let rate = of["records"].as_f64().zip(of["seconds"].as_f64());
        rate.map(|(records, seconds)| records / seconds)
            .context("the output has no records or seconds")
    };
    let cpu = |of: &Value| of["cpu_seconds"].as_f64().unwrap_or(f64::NAN);
    let (ours_rate, peer_rate) = (rate(ours)?, rate(result)?);
    let version = result["pyspark"].as_str().unwrap_or_default();
    let (on, ours_cpu, target) = match cluster {
        Some(profile) => (format!("Fluvio cluster {profile}"), None, peer.cluster),
        None => (
            "the embedded broker".to_owned(),
            Some(cpu(ours)),
            peer.embedded,
        ),
    };
    let ours_cpu = ours_cpu.map_or(String::new(), |cpu| format!(", {cpu:.0} s of CPU"));
    Ok(Line {
        what: format!("catch-up, crypto-raw to raw+clean+features+alerts, {on}"),
        ours: format!("{ours_rate:.0} events/s{ours_cpu}"),
        peer: format!(
            "PySpark {version} local[2], {does}: {peer_rate:.0} events/s, {:.0} s of CPU",
            cpu(result)
        ),
        ratio: ours_rate / peer_rate,
        target,
    })
}
