//! What a running platform tells about itself.

use std::collections::BTreeSet;

use fixtures::process::coinlake;

use super::dashboard::{dashboard, metrics_in, rules};
use super::notify::Alerts;
use super::process::Running;
use super::promtool::promtool;
use super::receiver::Receiver;

/// The names in a scrape, as they can be asked for.
fn names(scrape: &str) -> BTreeSet<String> {
    let samples = scrape.lines().filter(|line| !line.starts_with('#'));
    samples
        .filter_map(|line| line.split([' ', '{']).next())
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

/// The sum of all samples whose line begins so.
fn sum(scrape: &str, begin: &str) -> f64 {
    let samples = scrape.lines().filter(|line| line.starts_with(begin));
    samples
        .filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok())
        .sum()
}

#[test]
fn rules_and_dashboard_ask_for_what_there_is() {
    let data = tempfile::tempdir().unwrap();
    let mut command = coinlake(&["demo", "--metrics-listen", "0"]);
    command.args(["--listen", "127.0.0.1:0", "--console", "127.0.0.1:0"]);
    command.arg("--data").arg(data.path());
    let demo = Running::start(command);
    let whole = "coingecko_source_records_total ";
    let scrape = demo.wait_for("the whole market and a commit", |demo| {
        let drained = demo.lines().iter().any(|line| line.contains("is drained"));
        let (_, scrape) = demo.get("/metrics")?;
        let committed = sum(&scrape, "parquet_sink_last_commit_timestamp_seconds") > 0.0;
        (drained && committed && sum(&scrape, whole) > 0.0).then_some(scrape)
    });
    demo.wait_until_ready();

    // The numbers add up.
    let raw = sum(&scrape, whole);
    let outputs = |destination: &str| {
        let begin = format!(
            r#"parquet_sink_outputs_total{{stage="stage-clean",destination="{destination}"}}"#
        );
        sum(&scrape, &begin)
    };
    assert_eq!(outputs("accepted") + outputs("rejected"), raw);
    assert_eq!(outputs("rejected"), 128.0);
    assert_eq!(
        sum(
            &scrape,
            r#"coinlake_broker_received_records_total{topic="crypto-raw"}"#
        ),
        raw
    );
    assert_eq!(
        sum(
            &scrape,
            r#"parquet_sink_records_total{stage="stage-clean",topic="crypto-clean"}"#
        ),
        outputs("accepted")
    );
    assert_eq!(
        sum(
            &scrape,
            r#"coinlake_broker_smartmodule_records_total{smartmodule="crypto-clean"}"#
        ),
        raw
    );
    // The lag is looked at every few seconds.
    let scrape = demo.wait_for("no lag", |demo| {
        let (_, scrape) = demo.get("/metrics")?;
        let stages = scrape
            .lines()
            .filter(|l| l.starts_with("parquet_sink_lag_records{"));
        (stages.count() >= 4 && sum(&scrape, "parquet_sink_lag_records") == 0.0).then_some(scrape)
    });
    if promtool(&["check", "metrics"], &scrape).is_some() {
        println!("names follow Prometheus' conventions");
    }
    demo.interrupt();

    let alerts = Alerts::start();
    let receiver = Receiver::start(vec![]);
    let notifier = alerts.notifier(&receiver, &[]);
    notifier.wait_until_ready();
    alerts.raise("bitcoin", "critical");
    receiver.takes(1);
    let notified = notifier.wait_for("the delivery", |notifier| {
        let (_, scrape) = notifier.get("/metrics")?;
        let delivered = r#"coinlake_notify_alerts_total{outcome="delivered""#;
        (sum(&scrape, delivered) == 1.0).then_some(scrape)
    });
    if promtool(&["check", "metrics"], &notified).is_some() {
        println!("names follow Prometheus' conventions");
    }

    let mut there = names(&scrape);
    there.extend(names(&notified));
    // Those of models in production and of `coinlake train run --every`, which are not here.
    there.insert("coinlake_model_drift_psi".to_owned());
    there.insert("coinlake_train_runs_total".to_owned());
    for expression in rules().into_iter().chain(dashboard()) {
        for name in metrics_in(&expression) {
            assert!(there.contains(&name), "no process has {name}: {expression}");
        }
    }
}

#[test]
fn a_taken_address_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap().to_string();
    let data = tempfile::tempdir().unwrap();
    let mut command = coinlake(&["demo", "--exit", "--metrics-listen", &addr, "--data"]);
    let output = command.arg(data.path()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(
        said.contains(&addr) && said.contains("--metrics-listen"),
        "{said}"
    );
}
