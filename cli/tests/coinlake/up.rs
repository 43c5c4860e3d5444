//! `coinlake init`, `check` and `up` as a person uses them: a settings file, and a market that is played.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use connector_runtime::cluster::{Client, Cluster};
use connector_runtime::reader;
use fixtures::patience::PATIENCE;
use fixtures::process::Process;
use replay::{Market, Position, ReplayServer, Speed, SyntheticMarket};
use serde_json::Value;
use tempfile::TempDir;
use trainer::Run;
use trainer::tracking::{Alias, Beginning, LocalTracking, Tracking};

/// `coinlake`, in a working directory of its own.
fn coinlake(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = fixtures::process::coinlake(arguments);
    command.current_dir(folder);
    command
}

fn start(folder: &Path, arguments: &[&str]) -> Process {
    Process::start(coinlake(folder, arguments))
}

fn output(folder: &Path, arguments: &[&str]) -> Output {
    coinlake(folder, arguments).output().unwrap()
}

/// What a command says that must succeed, on stdout.
fn succeeds(folder: &Path, arguments: &[&str]) -> String {
    let output = output(folder, arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

/// What a command says that must be refused.
fn refused(folder: &Path, arguments: &[&str]) -> String {
    let output = output(folder, arguments);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// A folder with this settings file.
fn with_settings(text: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("coinlake.yaml"), text).unwrap();
    folder
}

/// Names in a folder, sorted.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

async fn connect(addr: &str) -> Client {
    Cluster::at(addr).connect().await.unwrap()
}

/// Waits until a topic has had `count` records.
async fn holds(client: &Client, topic: &str, count: i64) {
    let started = Instant::now();
    while reader::offsets(client, topic, 0).await.unwrap().end < count {
        let waited = started.elapsed();
        assert!(
            waited < PATIENCE,
            "{topic} does not come to hold {count} records"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn play(market: SyntheticMarket) -> ReplayServer {
    let market = Market::Synthetic(market);
    let replay = ReplayServer::start(market, Speed::Max, Position::start());
    replay.await.unwrap()
}

/// Settings for a market that is played for a minute, on free ports.
fn settings(replay: &ReplayServer, more: &str) -> String {
    format!(
        "coingecko:\n  base_url: {}\n  poll_interval: 20ms\nbroker:\n  listen: 0\nconsole: 0\ncommit_interval: 500ms\n{more}",
        replay.base_url()
    )
}

#[test]
fn init_writes_settings_that_check_accepts() {
    let folder = tempfile::tempdir().unwrap();
    succeeds(folder.path(), &["init"]);
    let said = succeeds(folder.path(), &["check"]);
    assert!(
        said.contains("the 250 largest, in usd, as often as"),
        "{said}"
    );
    assert_eq!(
        names(folder.path()),
        ["coinlake.yaml"],
        "a check starts nothing"
    );
    let said = refused(folder.path(), &["init"]);
    assert!(said.contains("coinlake.yaml exists already"), "{said}");
}

#[test]
fn what_is_wrong_is_named_with_line_and_remedy() {
    for (text, expected) in [
        (
            "tpo: 3\n",
            "coinlake.yaml, line 1: unknown key `tpo`; known here: data, secrets, coingecko",
        ),
        (
            "coingecko:\n  topp: 3\n",
            "coinlake.yaml, line 2: unknown key `coingecko.topp`; known here: ids, top",
        ),
        (
            "coingecko:\n  top: many\n",
            "coinlake.yaml, line 2: `coingecko.top` is `many`: expected a whole number",
        ),
        (
            "coingecko:\n  top: 0\n",
            "coinlake.yaml, line 2: coingecko.top is 0",
        ),
        (
            "# mine\ncoingecko:\n  plan: pro\n",
            "coinlake.yaml, line 3: coingecko.plan is pro, but there is no key",
        ),
        (
            "coingecko:\n  api_key: CG-1\n",
            "coinlake.yaml, line 2: coingecko.api_key does not belong",
        ),
        (
            "commit_interval: 5\n",
            "coinlake.yaml, line 1: `commit_interval` is integer `5`: expected a duration with its unit",
        ),
        (
            "commit_interval: 0s\n",
            "coinlake.yaml, line 1: commit_interval is 0",
        ),
        (
            "lake: ftp://host/lake\n",
            "coinlake.yaml, line 1: lake: `ftp://` is not a supported store",
        ),
        (
            "alerts:\n  price_zscore: -1\n",
            "coinlake.yaml, line 2: `alerts.price_zscore` is `-1`: expected a number above 0",
        ),
        (
            "alerts:\n  emit: all\n",
            "coinlake.yaml, line 2: `alerts.emit` is the stage's to set",
        ),
        (
            "alerts:\n  currency: eur\n",
            "coinlake.yaml, line 2: `alerts.currency` is what `coingecko.vs_currency` says: set that",
        ),
        (
            "alerts:\n  zscore: 4\n",
            "coinlake.yaml, line 2: unknown key `alerts.zscore`; known here: price_zscore",
        ),
        (
            "alerts:\n  rules:\n    - name: mine\n      when: price falls_below 1\n",
            "coinlake.yaml, line 3: rule `mine`: `when`, character 7: `falls_below` is unknown; known here: <, <=,",
        ),
        (
            "alerts:\n  rules: none\n",
            "coinlake.yaml, line 2: the rules are not JSON: ",
        ),
        (
            "webhook:\n  format: teams\n",
            "coinlake.yaml, line 2: `webhook.format` is `teams`: expected one of json, slack",
        ),
        (
            "console: nowhere\n",
            "coinlake.yaml, line 1: `console` is string \"nowhere\": expected an IP address and a port",
        ),
        (
            "broker:\n  advertise: box\n",
            "coinlake.yaml, line 2: `broker.advertise` is string \"box\": expected a host and a port",
        ),
        (
            "- a\n",
            "coinlake.yaml, line 1: the config has another form: expected keys with values",
        ),
    ] {
        let folder = with_settings(text);
        for command in ["check", "up"] {
            let said = refused(folder.path(), &[command]);
            assert!(said.contains(expected), "{text:?}: {said}");
            assert_eq!(said.lines().count(), 1, "{said}");
            assert!(!said.contains("CG-1"), "{said}");
        }
        assert_eq!(names(folder.path()), ["coinlake.yaml"]);
    }
}

#[test]
fn a_check_reports_every_problem() {
    let folder = with_settings("coingecko:\n  top: 0\nalerts:\n  a: 1\n  volume_surge: x\n");
    let said = refused(folder.path(), &["check"]);
    assert_eq!(said.lines().count(), 3, "{said}");
}

#[test]
fn options_win_over_the_file_and_secrets_come_from_theirs() {
    let folder = with_settings("coingecko: {top: 7, vs_currency: EUR}\nsecrets: secrets.env\n");
    let secrets = "COINLAKE_WEBHOOK_URL=https://hooks.example/x\nCOINGECKO_API_KEY=k\n";
    fs::write(folder.path().join("secrets.env"), secrets).unwrap();
    let said = succeeds(folder.path(), &["check"]);
    assert!(said.contains("the 7 largest, in EUR"), "{said}");
    assert!(
        said.contains("hooks.example") && !said.contains("/x"),
        "{said}"
    );
    let options = [
        "check",
        "--ids",
        "bitcoin,solana",
        "--every",
        "5m",
        "--lake",
        "s3://b/lake",
    ];
    let said = succeeds(folder.path(), &options);
    assert!(said.contains("bitcoin, solana, in EUR, every 5m"), "{said}");
    assert!(said.contains("s3://b/lake"), "{said}");
    // From elsewhere, relative paths still start at the file's folder.
    let config = folder.path().join("coinlake.yaml");
    let elsewhere = tempfile::tempdir().unwrap();
    let said = succeeds(
        elsewhere.path(),
        &["check", "--config", config.to_str().unwrap()],
    );
    let data = folder.path().join("coinlake-data");
    assert!(said.contains(data.to_str().unwrap()), "{said}");
}

#[tokio::test]
async fn up_runs_what_the_file_says_and_a_change_needs_a_restart() {
    let replay = play(SyntheticMarket::new(1, 3_000)).await;
    let folder = with_settings(&settings(
        &replay,
        "lake: elsewhere\nalerts:\n  min_severity: critical\n",
    ));
    let up = start(folder.path(), &["up"]);
    let client = connect(&up.word_after("broker at ")).await;
    holds(&client, "crypto-features", 200).await;
    drop(client);
    up.interrupt();
    let raw = folder.path().join("elsewhere/raw");
    assert!(!names(&raw).is_empty());
    assert!(!folder.path().join("coinlake-data/lake").exists());

    // What may not change is refused, and nothing is touched.
    let before = fs::read(folder.path().join("coinlake-data/coinlake.json")).unwrap();
    for (more, expected) in [
        ("lake: elsewhere\n", "set coingecko.vs_currency to usd"),
        ("lake: nowhere\n", "copy the one to the other first"),
    ] {
        let mut text = settings(&replay, more);
        if more.contains("elsewhere") {
            text = text.replace("coingecko:\n", "coingecko:\n  vs_currency: eur\n");
        }
        fs::write(folder.path().join("coinlake.yaml"), text).unwrap();
        for command in ["check", "up"] {
            let said = refused(folder.path(), &[command]);
            assert!(said.contains(expected), "{said}");
        }
        assert!(!folder.path().join("nowhere").exists());
        let after = fs::read(folder.path().join("coinlake-data/coinlake.json")).unwrap();
        assert_eq!(before, after);
    }

    // A lake that was moved goes on.
    fs::rename(folder.path().join("elsewhere"), folder.path().join("moved")).unwrap();
    let text = settings(&replay, "lake: moved\nalerts: {min_severity: info}\n");
    fs::write(folder.path().join("coinlake.yaml"), text).unwrap();
    let up = start(folder.path(), &["up"]);
    let client = connect(&up.word_after("broker at ")).await;
    let held = reader::offsets(&client, "crypto-features", 0)
        .await
        .unwrap()
        .end;
    assert!(held >= 200);
    holds(&client, "crypto-features", held + 200).await;
    holds(&client, "crypto-alerts", 1).await;
    // Other commands find broker and lake by the file, without an option.
    let report = output(folder.path(), &["health", "--json"]).stdout;
    let report: Value = serde_json::from_slice(&report).unwrap();
    let raw = report["lake"].as_array().unwrap().iter();
    let rows: u64 = raw.filter_map(|layer| layer["rows"].as_u64()).sum();
    assert!(rows > 0, "{report}");
    up.interrupt();
}

#[tokio::test]
async fn data_of_the_version_before_goes_on() {
    let replay = play(SyntheticMarket::new(2, 3_000)).await;
    let folder = with_settings(&settings(&replay, ""));
    let up = start(folder.path(), &["up"]);
    let client = connect(&up.word_after("broker at ")).await;
    holds(&client, "crypto-features", 100).await;
    drop(client);
    up.interrupt();
    // As the version before wrote it.
    let note = r#"{"layout": 1, "market": "live data", "broker": "127.0.0.1:9003"}"#;
    fs::write(folder.path().join("coinlake-data/coinlake.json"), note).unwrap();
    let up = start(folder.path(), &["up"]);
    let client = connect(&up.word_after("broker at ")).await;
    let held = reader::offsets(&client, "crypto-features", 0)
        .await
        .unwrap()
        .end;
    assert!(held >= 100);
    holds(&client, "crypto-features", held + 100).await;
}

#[tokio::test]
async fn an_advertised_address_is_for_clients_elsewhere() {
    let replay = play(SyntheticMarket::new(3, 3_000)).await;
    let folder = with_settings(&settings(&replay, ""));
    // Nobody listens there: the platform itself must not be sent to it.
    let up = start(
        folder.path(),
        &["up", "--advertise", "coinlake.invalid:19003"],
    );
    let outside = connect(&up.word_after("broker at ")).await;
    let told = outside.admin().await;
    let spus = told.all::<fluvio::metadata::spu::SpuSpec>().await.unwrap();
    assert_eq!(
        spus[0].spec.public_endpoint.host_string(),
        "coinlake.invalid"
    );
    assert_eq!(spus[0].spec.public_endpoint.port, 19003);
    let note = fs::read(folder.path().join("coinlake-data/coinlake.json")).unwrap();
    let note: Value = serde_json::from_slice(&note).unwrap();
    let inside = connect(note["broker"].as_str().unwrap()).await;
    holds(&inside, "crypto-features", 100).await;
}

#[test]
fn looking_at_a_lake_creates_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let lake = folder.path().join("typo");
    let lake = lake.to_str().unwrap();
    let at = ["--cluster", "127.0.0.1:1", "--lake", lake];
    let console = [&["console", "--listen", "127.0.0.1:0"], &at[..]].concat();
    let console = start(folder.path(), &console);
    console.line_after("there is no such folder");
    output(folder.path(), &[&["health"], &at[..]].concat());
    refused(
        folder.path(),
        &["train", "run", "--lake", lake, "--data", "none"],
    );
    assert!(names(folder.path()).is_empty());
}

#[test]
fn a_refused_demo_keeps_the_last_ones_data() {
    let folder = tempfile::tempdir().unwrap();
    let scratch = folder.path().join("coinlake-demo");
    fs::create_dir_all(scratch.join("lake/raw")).unwrap();
    let note = r#"{"layout": 1, "market": "the synthetic market"}"#;
    fs::write(scratch.join("coinlake.json"), note).unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    for option in ["--listen", "--console", "--metrics-listen"] {
        let said = refused(folder.path(), &["demo", "--exit", option, &taken]);
        assert!(said.contains(&taken), "{said}");
        assert!(scratch.join("lake/raw").exists(), "{option} destroyed data");
    }
}

#[test]
fn the_service_is_one_that_systemd_takes() {
    let folder = tempfile::tempdir().unwrap();
    let unit = succeeds(folder.path(), &["init", "--service"]);
    assert_eq!(names(folder.path()), ["coinlake.yaml"]);
    assert!(unit.contains("ExecStart="), "{unit}");
    // A file that is there stays, so a unit can be printed again.
    fs::write(folder.path().join("coinlake.yaml"), "# mine\n").unwrap();
    assert_eq!(unit, succeeds(folder.path(), &["init", "--service"]));
    let kept = fs::read_to_string(folder.path().join("coinlake.yaml")).unwrap();
    assert_eq!(kept, "# mine\n");

    let file = folder.path().join("coinlake.service");
    fs::write(&file, &unit).unwrap();
    let verify = Command::new("systemd-analyze")
        .arg("verify")
        .arg(&file)
        .output();
    match verify {
        Ok(verified) => {
            let said = String::from_utf8_lossy(&verified.stderr);
            assert!(verified.status.success(), "{said}\n{unit}");
            assert!(!said.contains("coinlake.service:"), "{said}");
        }
        Err(error) => println!("skipped: systemd-analyze does not run here: {error}"),
    }
}

/// The retention of a topic, in seconds.
async fn retention(client: &Client, topic: &str) -> u32 {
    let admin = client.admin().await;
    let topics = admin
        .all::<fluvio::metadata::topic::TopicSpec>()
        .await
        .unwrap();
    let found = topics.iter().find(|listed| listed.name == topic).unwrap();
    found.spec.retention_secs()
}

#[tokio::test]
async fn a_retention_holds_for_topics_of_before_and_training_runs_beside() {
    let replay = play(SyntheticMarket::new(4, 3_000)).await;
    let folder = with_settings(&settings(&replay, ""));
    let up = start(folder.path(), &["up"]);
    let client = connect(&up.word_after("broker at ")).await;
    assert_eq!(retention(&client, "crypto-raw").await, 7 * 86_400);
    holds(&client, "crypto-features", 100).await;
    drop(client);
    up.interrupt();
    let text = settings(&replay, "train: {every: 1s}\ndisk_budget: 1KB\n");
    let text = text.replace("  listen: 0\n", "  listen: 0\n  retention: 12h\n");
    fs::write(folder.path().join("coinlake.yaml"), text).unwrap();
    let up = start(folder.path(), &["up"]);
    let client = connect(&up.word_after("broker at ")).await;
    assert_eq!(retention(&client, "crypto-raw").await, 12 * 3_600);
    // A training of so short a market succeeds or says what it lacks; either way the platform goes on.
    up.line_after("training");
    let held = reader::offsets(&client, "crypto-features", 0)
        .await
        .unwrap()
        .end;
    assert!(held >= 100);
    let report = output(folder.path(), &["health", "--json"]).stdout;
    let report: Value = serde_json::from_slice(&report).unwrap();
    assert!(
        report["warnings"].to_string().contains("disk_budget"),
        "{report}"
    );
    up.interrupt();

    let folder = with_settings("broker: {retention: 1h}\ntrain: {every: 0s, since: 0s}\n");
    let said = refused(folder.path(), &["check"]);
    for problem in ["set at least 6h", "train.every is 0", "train.since is 0"] {
        assert!(said.contains(problem), "{said}");
    }
}

#[tokio::test]
async fn old_runs_are_removed_beside() {
    let replay = play(SyntheticMarket::new(5, 3_000)).await;
    let more = "upkeep: {every: 200ms}\ntrain: {keep_runs: 2}\n";
    let folder = with_settings(&settings(&replay, more));
    let models = folder.path().join("coinlake-data/models");
    let up = start(folder.path(), &["up"]);
    up.word_after("broker at ");
    let tracking = LocalTracking::new(&models);
    let mut runs = Vec::new();
    for number in 0..4 {
        let beginning = Beginning {
            experiment: "coinlake".to_owned(),
            name: number.to_string(),
            started_ms: 1_748_736_000_000 + number,
            tags: Default::default(),
        };
        let run = tracking.start(&beginning).await.unwrap();
        let ended_ms = beginning.started_ms + 1;
        tracking
            .finish(&run, ended_ms, &Run::default())
            .await
            .unwrap();
        if number == 0 {
            tracking.register(&run, "trend_up").await.unwrap();
            tracking
                .set_alias("trend_up", Alias::Production, 1)
                .await
                .unwrap();
        }
        runs.push(run.id);
    }
    let old = models.join(runs.remove(1));
    up.wait_for("the old run to go", |_| (!old.exists()).then_some(()));
    runs.extend(["LOCK", "registry.json"].map(str::to_owned));
    runs.sort();
    let mut left = names(&models);
    left.retain(|name| name != ".partial");
    assert_eq!(left, runs);
    up.interrupt();
}
