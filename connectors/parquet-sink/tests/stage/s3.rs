//! A lake in S3, over real HTTP.

use std::collections::BTreeMap;
use std::path::Path;

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use lake::{Created, Lake};
use parquet_sink::StageConfig;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use secrecy::SecretString;
use tokio::net::TcpListener;

use crate::support::*;

/// A store on files in `folder`, with one bucket.
pub fn store(folder: &Path) -> S3Service {
    std::fs::create_dir_all(folder.join("bucket")).unwrap();
    let mut service = S3ServiceBuilder::new(s3s_fs::FileSystem::new(folder).unwrap());
    service.set_auth(SimpleAuth::from_single("key", "secret"));
    service.build()
}

/// An S3 server on files in `folder`; returns its address. It lives as long as the test's runtime.
async fn serve(folder: &Path) -> String {
    let service = store(folder);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let http = auto::Builder::new(TokioExecutor::new());
        while let Ok((socket, _)) = listener.accept().await {
            let connection = http.serve_connection(TokioIo::new(socket), service.clone());
            tokio::spawn(connection.into_owned());
        }
    });
    format!("http://{addr}")
}

/// The options for a client of the store at this address.
pub fn options(endpoint: &str) -> BTreeMap<String, SecretString> {
    [
        ("aws_endpoint", endpoint),
        ("aws_allow_http", "true"),
        ("aws_region", "us-east-1"),
        ("aws_access_key_id", "key"),
        ("aws_secret_access_key", "secret"),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), SecretString::from(value.to_owned())))
    .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_created_only_if_its_name_is_free() {
    let folder = tempfile::tempdir().unwrap();
    let endpoint = serve(folder.path()).await;
    let lake = Lake::open_str("s3://bucket/lake", options(&endpoint)).unwrap();
    let path = "raw/date=2025-06-01/t-0-00000000000000000000.parquet";
    assert_eq!(
        lake.create(path, "one".into(), "a").await.unwrap(),
        Created::New
    );
    assert_eq!(
        lake.create(path, "two".into(), "b").await.unwrap(),
        Created::NameTaken
    );
    assert_eq!(lake.read(path).await.unwrap(), "one");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_is_refused_with_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let endpoint = serve(folder.path()).await;
    let mut options = options(&endpoint);
    options.insert(
        "aws_secret_access_key".to_owned(),
        SecretString::from("guess".to_owned()),
    );
    let lake = Lake::open_str("s3://bucket/lake", options).unwrap();
    let error = lake.files("raw").await.unwrap_err();
    assert!(!error.is_transient(), "{error}");
    assert!(error.to_string().contains("the store's options"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stage_lands_the_same_rows_as_in_a_folder() {
    let platform = Platform::start().await;
    platform.module("crypto-clean", "crypto-clean", b"").await;
    platform.topic("crypto-raw", 1).await;
    platform.produce("crypto-raw", 0, &market(100)).await;
    let endpoint = serve(&platform.data.path().join("s3")).await;
    let config = || {
        let mut config: StageConfig = platform.config("s3", CLEAN);
        config.settings.lake = "s3://bucket/lake".to_owned();
        config.settings.options = options(&endpoint);
        config.settings.limits.rows_max = 100;
        config
    };
    platform.run_to_end(config()).await;
    // The second run resumes after what the first one wrote.
    platform
        .produce("crypto-raw", 0, &market(120).split_off(market(100).len()))
        .await;
    platform.run_to_end(config()).await;
    platform.run_to_end(platform.config("golden", CLEAN)).await;
    let lake = Lake::open_str("s3://bucket/lake", options(&endpoint)).unwrap();
    for layer in ["clean", "rejected"] {
        let mut rows = Vec::new();
        for file in lake.files(layer).await.unwrap() {
            rows.extend(rows_of(lake.read(&file.path).await.unwrap()));
        }
        assert_eq!(rows, platform.rows("golden", layer).await);
    }
    let summary = lake.layer_summary("clean").await.unwrap();
    assert_eq!((summary.rows, summary.partitions.len()), (360, 1));
}
