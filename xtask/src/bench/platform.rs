//! The one-machine platform: time to the first alert, latency, peak memory.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::setup::{Setup, figure, json_output};
use super::table::{Line, Target};
use crate::process::Running;

/// Market time per real time. Ten coins with a tick a minute become 1,000 events a second.
const SPEED: &str = "6000";
const STARTS: usize = 3;
const START_TIMEOUT: Duration = Duration::from_secs(60);
const POLL_INTERVAL: Duration = Duration::from_millis(2);
/// So that a process which hangs does not hide [`START_TIMEOUT`].
const REPLY_TIMEOUT: Duration = Duration::from_secs(5);

pub(super) fn measure(setup: &Setup) -> Result<Vec<Line>> {
    let coinlake = setup.coinlake()?;
    let data = setup.folder().join("platform");
    let mut demo = Command::new(&coinlake);
    demo.args(["demo", "--exit", "--json", "--speed", SPEED])
        .args(["--console", "127.0.0.1:0", "--data"])
        .arg(fresh(&data)?);
    let summary = json_output(&mut demo)?;
    let rate = figure(&summary, "records_per_second")?;
    ensure!(
        rate > 900.0,
        "the demo reached only {rate:.0} of 1,000 events/s: is the machine busy, or has Coinlake become slower?"
    );
    let latency = &summary["alert_latency_ms"];
    let (p50, p99) = (figure(latency, "p50")?, figure(latency, "p99")?);
    let memory = figure(&summary, "peak_rss_mb")?;

    let mut first_alert = Duration::MAX;
    for _ in 0..STARTS {
        first_alert = first_alert_of(&coinlake, fresh(&data)?)?.min(first_alert);
    }
    let first_alert = first_alert.as_secs_f64();
    Ok(vec![
        Line {
            what: format!("crypto-raw to crypto-alerts at {rate:.0} events/s, p99"),
            ours: format!("{p99} ms (p50 {p50} ms)"),
            peer: "50 ms allowed; under 5 s with the Spark job".to_owned(),
            ratio: p99 / 50.0,
            target: Target::AtMost(1.0),
        },
        Line {
            what: format!("the whole platform's memory at {rate:.0} events/s, peak"),
            ours: format!("{memory:.0} MB"),
            peer: "300 MB allowed; 8 to 10 GB with docker-compose".to_owned(),
            ratio: memory / 300.0,
            target: Target::AtMost(1.0),
        },
        Line {
            what: "coinlake demo: from its start to the first alert".to_owned(),
            ours: format!("{first_alert:.2} s"),
            peer: "5 s allowed; minutes with docker-compose".to_owned(),
            ratio: first_alert / 5.0,
            target: Target::AtMost(1.0),
        },
    ])
}

/// The folder, after what an earlier run left there is removed.
fn fresh(data: &Path) -> Result<&Path> {
    if data.exists() {
        fs::remove_dir_all(data)?;
    }
    Ok(data)
}

/// The time from the start of the command until its broker has acknowledged an alert.
fn first_alert_of(coinlake: &PathBuf, data: &Path) -> Result<Duration> {
    let metrics = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let log = data.with_extension("log");
    let said = || fs::read_to_string(&log).unwrap_or_default();
    let mut demo = Command::new(coinlake);
    demo.args([
        "demo",
        "--listen",
        "127.0.0.1:0",
        "--console",
        "127.0.0.1:0",
    ])
    .args(["--metrics-listen", &metrics.to_string(), "--data"])
    .arg(data)
    .stdout(Stdio::null())
    .stderr(File::create(&log)?);
    let started = Instant::now();
    let mut demo = Running(demo.spawn().context("cannot start coinlake demo")?);
    while started.elapsed() < START_TIMEOUT {
        if alerts(metrics).is_some_and(|alerts| alerts > 0.0) {
            return Ok(started.elapsed());
        }
        if let Some(status) = demo.0.try_wait()? {
            bail!(
                "coinlake demo ended before its first alert: {status}\n{}",
                said()
            );
        }
        thread::sleep(POLL_INTERVAL);
    }
    bail!(
        "coinlake demo has no alert after {START_TIMEOUT:?}\n{}",
        said()
    )
}

/// The number of alerts in the topic, from /metrics; `None` while the process does not answer.
fn alerts(metrics: SocketAddr) -> Option<f64> {
    let mut connection = TcpStream::connect(metrics).ok()?;
    connection.set_read_timeout(Some(REPLY_TIMEOUT)).ok()?;
    connection
        .write_all(b"GET /metrics HTTP/1.0\r\n\r\n")
        .ok()?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer).ok()?;
    let is_ours = |line: &&str| {
        line.starts_with("parquet_sink_records_total{") && line.contains(r#"topic="crypto-alerts""#)
    };
    let (_, number) = answer.lines().find(is_ours)?.rsplit_once(' ')?;
    number.parse().ok()
}
