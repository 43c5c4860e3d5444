//! `coinlake deploy`: what it changes, what it leaves alone, what it refuses.

use std::process::Stdio;
use std::time::{Duration, Instant};

use connector_runtime::reader;
use connector_runtime::record::Outgoing;
use connector_runtime::writer::TopicWriter;
use fixtures::process::{refused, succeeded};
use fixtures::{smartmodules, topic};
use fluvio::metadata::smartmodule::{
    SmartModuleMetadata, SmartModulePackage, SmartModuleSpec, SmartModuleWasm,
};
use fluvio::metadata::tableformat::TableFormatSpec;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

use super::support::*;

/// Longer than anything takes that works, shorter than a client waits for an SC.
const PATIENCE: Duration = Duration::from_secs(45);

/// Lines of a plan that begin so.
fn steps<'a>(printed: &'a str, change: &str) -> Vec<&'a str> {
    let lines = printed.lines().map(str::trim);
    lines.filter(|line| line.starts_with(change)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn deploys_once_and_takes_all_of_it_away_again() {
    for target in Target::all().await {
        // Nobody to ask, and nobody said yes.
        let said = refused(&target.deploy(&[]).await);
        assert!(said.contains("add --yes"), "{said}");
        assert!(target.smartmodules().await.is_empty());

        let printed = target.deployed(&[]).await;
        println!("{printed}");
        let (topics, modules) = (target.topics().await, target.smartmodules().await);
        let formats = target.table_formats().await;
        assert!(topics.contains(&"crypto-raw".to_owned()), "{topics:?}");
        let created = steps(&printed, "create");
        assert_eq!(created.len(), topics.len() + modules.len() + formats.len());

        // Nothing to do needs nobody's leave.
        let printed = succeeded(&target.deploy(&[]).await);
        assert!(printed.contains("nothing to change"), "{printed}");
        assert_eq!(steps(&printed, "unchanged").len(), created.len());

        // Somebody's SmartModule stands where ours was.
        let admin = target.client().await.admin().await;
        let client = target.client().await;
        topic::create_smartmodule(&client, "crypto-clean", b"\0asm\x01\0\0\0").await;
        admin
            .delete::<TableFormatSpec>("crypto-alerts")
            .await
            .unwrap();
        let printed = target.deployed(&[]).await;
        assert_eq!(steps(&printed, "update").len(), 1, "{printed}");
        assert!(steps(&printed, "update")[0].contains("SmartModule   crypto-clean"));
        let kept = modules.len();
        assert_eq!(steps(&printed, "create").len(), 1 + kept, "{printed}");
        let printed = succeeded(&target.deploy(&["--diff"]).await);
        assert!(printed.contains("nothing to change"), "{printed}");

        // Back to somebody's, and to ours again.
        let printed = target.deployed(&["--rollback"]).await;
        assert_eq!(steps(&printed, "update").len(), 1, "{printed}");
        let printed = target.deployed(&["--rollback"]).await;
        assert!(printed.contains("nothing to change"), "{printed}");
        let said = refused(&target.deploy(&["--diff"]).await);
        assert!(
            said.contains("the cluster would be changed: 1 step (see above)"),
            "{said}"
        );
        let printed = target.deployed(&[]).await;
        assert_eq!(steps(&printed, "update").len(), 1, "{printed}");
        assert!(steps(&printed, "create").is_empty(), "{printed}");

        let printed = target.deployed(&["--delete"]).await;
        assert_eq!(
            steps(&printed, "delete").len(),
            modules.len() + kept + formats.len()
        );
        assert!(target.smartmodules().await.is_empty());
        assert!(target.table_formats().await.is_empty());
        assert_eq!(target.topics().await, topics, "the data stays");
        target.deployed(&["--delete", "--with-data"]).await;
        assert!(target.topics().await.is_empty());
        let printed = target.deployed(&["--delete", "--with-data"]).await;
        assert!(printed.contains("nothing to change"), "{printed}");
        target.clean_up().await;
    }
}

/// `smdk load` makes packages, which SPUs and stages take by the plain name.
#[tokio::test(flavor = "multi_thread")]
async fn what_smdk_loaded_is_there() {
    for target in Target::all().await {
        let lake = target.dir.path().join("lake");
        std::fs::create_dir(&lake).unwrap();
        let health = async || {
            let mut command = target.program("coinlake");
            command.args(["health", "--profile", &target.profile, "--lake"]);
            let output = command.arg(&lake).output().await.unwrap();
            String::from_utf8(output.stdout).unwrap()
        };
        target.deployed(&[]).await;
        let modules = target.smartmodules().await;
        let admin = target.client().await.admin().await;
        for module in &modules {
            admin.delete::<SmartModuleSpec>(module).await.unwrap();
        }
        let printed = health().await;
        assert!(printed.contains("SmartModule crypto-clean is missing"));
        for module in &modules {
            let package = SmartModulePackage {
                name: module.clone(),
                group: "coinlake".to_owned(),
                ..SmartModulePackage::default()
            };
            let name = package.store_id();
            let loaded = SmartModuleSpec {
                meta: Some(SmartModuleMetadata {
                    package,
                    ..SmartModuleMetadata::default()
                }),
                wasm: SmartModuleWasm::from_raw_wasm_bytes(&smartmodules::wasm(module)).unwrap(),
                ..SmartModuleSpec::default()
            };
            admin.create(name, false, loaded).await.unwrap();
        }
        let printed = health().await;
        assert!(!printed.contains("is missing"), "{printed}");
        let waited = target.deploy(&["--wait"]);
        let waited = tokio::time::timeout(PATIENCE, waited).await;
        succeeded(&waited.expect("nothing is missing that could be waited for"));

        // One or the other: both are a problem, and a deployed module takes the package's place.
        let (client, plain) = (target.client().await, smartmodules::wasm("crypto-clean"));
        topic::create_smartmodule(&client, "crypto-clean", &plain).await;
        let printed = health().await;
        assert!(
            printed.contains("SmartModule crypto-clean may be"),
            "{printed}"
        );
        let printed = target.deployed(&[]).await;
        assert_eq!(steps(&printed, "delete").len(), modules.len(), "{printed}");
        target.clean_up().await;
    }
}

/// An SC then often misses that the new topics are good, and never says that they are created.
#[tokio::test(flavor = "multi_thread")]
async fn deploys_soon_after_everything_was_deleted() {
    for target in Target::all().await {
        target.deployed(&[]).await;
        let client = target.client().await;
        let mut writer = TopicWriter::open(&client, "crypto-raw", 0, PATIENCE)
            .await
            .unwrap();
        let record = Outgoing {
            key: None,
            value: "{}".into(),
        };
        writer.append(&[record]).await.unwrap();
        target.deployed(&["--delete", "--with-data"]).await;
        if let Some(faults) = target.faults() {
            faults.silent_creations(1);
        }
        let deployed = tokio::time::timeout(PATIENCE, target.deployed(&[]));
        deployed.await.expect("the topics are good");
        let client = target.client().await;
        for topic in target.topics().await {
            let held = reader::offsets(&client, &topic, 0).await.unwrap();
            assert!(held.is_empty(), "{topic}: {held:?}");
        }
        target.clean_up().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_partition_count_is_refused_before_anything_is_touched() {
    for target in Target::all().await {
        target.deployed(&["--partitions", "2"]).await;
        target.deployed(&["--delete"]).await;
        let said = refused(&target.deploy(&["--yes"]).await);
        assert!(
            said.contains("the partition count of topic crypto-raw is 2, not 3")
                && said.contains("--partitions 2"),
            "{said}"
        );
        assert!(target.smartmodules().await.is_empty());
        assert!(target.table_formats().await.is_empty());
        target.clean_up().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_that_no_cluster_takes_is_refused_before_anything_is_touched() {
    let target = Target::embedded().await;
    let dir = target.dir.path().join("smartmodules");
    std::fs::create_dir(&dir).unwrap();
    for module in
        std::fs::read_dir(smartmodules::folder()).expect("run `cargo xtask smartmodules` first")
    {
        let module = module.unwrap().path();
        std::fs::copy(&module, dir.join(module.file_name().unwrap())).unwrap();
    }
    // A custom section of a million bytes: still wasm, only too large.
    let path = dir.join("crypto-clean.wasm");
    let mut wasm = std::fs::read(&path).unwrap();
    wasm.extend([0, 0xc4, 0x84, 0x3d, 3, b'p', b'a', b'd']);
    wasm.extend(vec![0; 1_000_000]);
    std::fs::write(&path, wasm).unwrap();
    let smartmodules = ["--yes", "--smartmodules", dir.to_str().unwrap()];
    let said = refused(&target.deploy(&smartmodules).await);
    assert!(
        said.contains("SmartModule crypto-clean has") && said.contains("a cluster takes 1000000"),
        "{said}"
    );
    assert!(target.topics().await.is_empty());

    // Cut short on its way here.
    let wasm = std::fs::read(dir.join("crypto-features.wasm")).unwrap();
    std::fs::write(&path, &wasm[..wasm.len() / 2]).unwrap();
    let said = refused(&target.deploy(&smartmodules).await);
    assert!(said.contains("crypto-clean.wasm is damaged"), "{said}");
    assert!(target.topics().await.is_empty());
    target.clean_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_cannot_be_found_is_said_at_once() {
    let target = Target::embedded().await;
    let started = Instant::now();
    let mut command = target.program("coinlake");
    command.args(["deploy", "--yes", "--profile", "productoin"]);
    let said = refused(&command.output().await.unwrap());
    assert!(
        said.contains("profile productoin is not in the profile file"),
        "{said}"
    );

    // A port that was free a moment ago.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap().to_string();
    drop(listener);
    let mut command = target.program("coinlake");
    command.args(["deploy", "--yes", "--cluster", &addr]);
    let said = refused(&command.output().await.unwrap());
    assert!(
        said.contains(&format!("no Fluvio cluster at {addr}")) && said.contains("is it running"),
        "{said}"
    );
    assert!(started.elapsed() < Duration::from_secs(10));
    target.clean_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn waits_for_another_deploy() {
    for target in Target::all().await {
        let mut command = target.program("coinlake");
        command.args(["deploy", "--wait", "--profile", &target.profile]);
        let mut waiting = command.stderr(Stdio::piped()).spawn().unwrap();
        // Kept open: it goes on telling.
        let mut lines = BufReader::new(waiting.stderr.take().unwrap()).lines();
        let said = lines.next_line().await.unwrap().unwrap();
        assert!(
            said.contains("not deployed yet: topic crypto-raw"),
            "{said}"
        );
        // Any partition count is right for one who waits.
        target.deployed(&["--partitions", "2"]).await;
        assert!(waiting.wait().await.unwrap().success());
        target.clean_up().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn asks_on_a_terminal() {
    let target = Target::embedded().await;
    // script(1) gives the command a terminal.
    let answer = async |answer: &str| {
        let coinlake = env!("CARGO_BIN_EXE_coinlake");
        let deploy = format!("{coinlake} deploy --profile {}", target.profile);
        let mut script = tokio::process::Command::new("script");
        script.args(["--quiet", "--return", "--command", &deploy, "/dev/null"]);
        script.env("FLV_PROFILE_PATH", target.dir.path().join("profiles"));
        script.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut script = script.spawn().ok()?;
        let mut stdin = script.stdin.take().unwrap();
        stdin.write_all(answer.as_bytes()).await.unwrap();
        let output = script.wait_with_output().await.unwrap();
        drop(stdin);
        Some((
            output.status.success(),
            String::from_utf8_lossy(&output.stdout).into_owned(),
        ))
    };
    let Some((success, printed)) = answer("n\n").await else {
        println!("skipped: there is no script(1)");
        return;
    };
    assert!(
        !success && printed.contains("apply this plan? [y/N]"),
        "{printed}"
    );
    assert!(printed.contains("nothing was changed"), "{printed}");
    assert!(target.topics().await.is_empty());
    let (success, printed) = answer("y\n").await.unwrap();
    assert!(success && printed.contains("done"), "{printed}");
    assert!(!target.topics().await.is_empty());
    target.clean_up().await;
}
