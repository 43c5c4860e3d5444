//! What a store refuses is named with its remedy, and what may pass is tried again.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use connector_runtime::process::monitor::Observed;
use fixtures::process::{program, refused};
use lake::LakeError;
use parquet_sink::StageConfig;

use super::azurite::Azurite;
use super::gcs::FakeGcs;
use super::in_process::{KEY, SECRET, Store};
use super::versitygw::Versitygw;
use super::{Place, landed_at, prepared, respond, run_supervised, serve};
use crate::support::*;

const EXPIRED: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>ExpiredToken</Code><Message>The provided \
                       token has expired.</Message></Error>";

/// Why a table cannot be looked at.
async fn looked(place: &Place) -> LakeError {
    place.open().table("raw").snapshot().await.unwrap_err()
}

/// Why a file cannot be written.
async fn wrote(place: &Place) -> LakeError {
    let contents = vec![b'x'; 1000].into();
    let created = place.open().create("raw/file", contents, "a test").await;
    created.unwrap_err()
}

/// Another attempt would fail the same way; these words tell what to do.
#[track_caller]
fn assert_says(error: &LakeError, remedy: &str) {
    println!("{error}");
    assert!(!error.is_transient(), "{error}");
    assert!(error.to_string().contains(remedy), "{error}");
    assert_eq!(error.to_string().lines().count(), 1, "{error}");
}

/// A store that answers every upload so, and does everything else.
async fn refuses_uploads(store: Arc<Store>, status: u16, body: &'static str) -> Place {
    let addr = serve(move |request| {
        let store = store.clone();
        async move {
            match request.method().as_str() {
                "PUT" => Ok(respond(status, body)),
                _ => store.answer(request).await,
            }
        }
    })
    .await;
    Place::s3(addr, KEY, SECRET)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_or_bucket_in_s3() {
    let folder = tempfile::tempdir().unwrap();
    let place = Store::new(folder.path()).serve().await;
    let guess = place.clone().with("aws_secret_access_key", "guess");
    assert_says(&looked(&guess).await, "the store's options");
    assert_says(&wrote(&guess).await, "the store's options");
    assert_says(&looked(&place.at("s3://typo/lake")).await, "create it");
    let others = refuses_uploads(
        Store::new(folder.path()),
        403,
        "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>",
    );
    assert_says(&wrote(&others.await).await, "check the permissions");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_or_bucket_in_versitygw() {
    let Some(store) = Versitygw::start() else {
        return;
    };
    let place = store.place();
    let guess = place.clone().with("aws_secret_access_key", "guess");
    assert_says(&looked(&guess).await, "the store's options");
    let nobody = place.clone().with("aws_access_key_id", "nobody");
    assert_says(&looked(&nobody).await, "the store's options");
    let typo = place.at("s3://typo/lake");
    assert_says(&looked(&typo).await, "create it");
    assert_says(&wrote(&typo).await, "create it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_or_container_in_azure() {
    let Some(store) = Azurite::start() else {
        return;
    };
    let place = store.place();
    let guess = place.clone().with("azure_storage_account_key", "Z3Vlc3M=");
    assert_says(&looked(&guess).await, "the store's options");
    let typo = place.at("az://typo/market");
    assert_says(&looked(&typo).await, "create it");
    assert_says(&wrote(&typo).await, "create it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_bucket_in_gcs() {
    let Some(store) = FakeGcs::start().await else {
        return;
    };
    let typo = store.place().at("gs://typo/lake");
    assert_says(&looked(&typo).await, "create it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_with_object_lock() {
    let folder = tempfile::tempdir().unwrap();
    let place = refuses_uploads(
        Store::new(folder.path()),
        400,
        "<Error><Code>InvalidRequest</Code><Message>Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object \
         requests with Object Lock parameters</Message></Error>",
    );
    assert_says(&wrote(&place.await).await, "aws_checksum_algorithm");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_token_that_expires() {
    let platform = prepared(Platform::start().await).await;
    platform.produce("crypto-raw", 0, &market(20)).await;
    let store = Store::new(&platform.data.path().join("s3"));
    let has_expired = Arc::new(AtomicBool::new(false));
    let shared = has_expired.clone();
    let addr = serve(move |request| {
        let (store, has_expired) = (store.clone(), shared.clone());
        async move {
            match has_expired.load(Ordering::Relaxed) {
                true => Ok(respond(400, EXPIRED)),
                false => store.answer(request).await,
            }
        }
    })
    .await;
    let mut config = platform.config("s3", CLEAN);
    Place::s3(addr, KEY, SECRET).set(&mut config);
    config.settings.limits.rows_max = 10;
    let stage = platform.start_stage(config);
    stage.handles(platform.end("crypto-raw", 0).await).await;
    has_expired.store(true, Ordering::Relaxed);
    platform
        .produce("crypto-raw", 0, &market_between(20..40))
        .await;
    let status = stage.status.clone();
    let error = stage.ends().await.unwrap_err().to_string();
    assert!(error.contains("its session token has expired"), "{error}");
    let problem = status.ready().unwrap_err();
    assert!(
        problem.contains("its session token has expired"),
        "{problem}"
    );
}

/// The sentence with which a stage ends before it connects to anything.
fn ends(lake: &str, environment: &[(&str, &str)]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("stage.yaml");
    let config = CLEAN.replace("/var/lib/coinlake/lake", lake);
    std::fs::write(&file, config).unwrap();
    let mut command: Command = program("parquet-sink");
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("AWS_") {
            command.env_remove(name);
        }
    }
    command.arg("--config").arg(&file);
    command.args(["--cluster", "127.0.0.1:1"]);
    command.envs(environment.iter().copied());
    refused(&command.output().unwrap())
}

#[test]
fn settings_that_cannot_work_end_a_stage_at_once() {
    let said = ends("s3://bucket/lake", &[("AWS_PROFILE", "x")]);
    assert!(said.contains("profiles are not read"), "{said}");
    let keys = [
        ("AWS_ACCESS_KEY_ID", "key"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_ENDPOINT", "http://127.0.0.1:9000"),
    ];
    let said = ends("s3://bucket/lake", &keys);
    assert!(said.contains("AWS_ALLOW_HTTP"), "{said}");
    let said = ends("s3:///lake", &keys);
    assert!(said.contains("names no bucket"), "{said}");
}

/// Two copies of a stage would both succeed in making the same entry.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_ignores_conditions_is_refused() {
    let platform = prepared(Platform::start().await).await;
    platform.produce("crypto-raw", 0, &market(20)).await;
    let store = Store::open_to_all(&platform.data.path().join("s3"));
    let addr = serve(move |mut request| {
        let store = store.clone();
        request.headers_mut().remove("if-none-match");
        async move { store.answer(request).await }
    })
    .await;
    let mut config = platform.config("s3", CLEAN);
    let place = Place::s3(addr, KEY, SECRET).with("aws_skip_signature", "true");
    place.set(&mut config);
    let error = platform.start_stage(config).ends().await.unwrap_err();
    assert!(
        error.to_string().contains("ignores `If-None-Match`"),
        "{error}"
    );
    assert!(rows_in(&place.open(), "clean").await.is_empty());
}

/// 409, 412 and 503 to the put that makes an entry, whether it was made or not: no hole, and no second copy.
#[tokio::test(flavor = "multi_thread")]
async fn a_refused_entry_is_made_once() {
    let platform = prepared(Platform::start().await).await;
    platform.produce("crypto-raw", 0, &market(100)).await;
    let small_files = |mut config: StageConfig| {
        config.settings.limits.rows_max = 20;
        config
    };
    let store = Store::new(&platform.data.path().join("s3"));
    let entries = Arc::new(AtomicU64::new(0));
    let shared = entries.clone();
    let addr = serve(move |request| {
        let store = store.clone();
        let is_entry = request.headers().contains_key("if-none-match")
            && request.uri().path().contains("/_delta_log/");
        // Every second attempt is answered as it is.
        let number = match is_entry {
            true => shared.fetch_add(1, Ordering::Relaxed),
            false => 1,
        };
        async move {
            let (status, is_made) = match number % 12 {
                0 => (409, false),
                2 => (409, true),
                4 => (412, false),
                6 => (412, true),
                8 => (503, false),
                10 => (503, true),
                _ => return store.answer(request).await,
            };
            if is_made {
                store.answer(request).await?;
            }
            Ok(respond(status, ""))
        }
    })
    .await;
    let place = Place::s3(addr, KEY, SECRET);
    let config = || {
        let mut config = small_files(platform.config("refused", CLEAN));
        place.set(&mut config);
        config
    };
    let restarts = run_supervised(&platform, config).await;
    platform
        .run_to_end(small_files(platform.config("golden", CLEAN)))
        .await;
    let golden = platform.landed("golden", &CLEAN_MADE).await;
    let landed = landed_at(&platform, &place, "refused").await;
    assert_same(&landed, &golden, "refused");
    assert_eq!(restarts, 0);
    assert!(
        entries.load(Ordering::Relaxed) >= 24,
        "too few to meet each answer"
    );
}
