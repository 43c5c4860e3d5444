//! Lakes in object stores and HDFS. A store is a real server, started by the test where its program is at hand, and an S3
//! server in the test's own process.
//!
//! - `in_process`, `versitygw`, `azurite`, `gcs`, `hdfs`: the servers.
//! - `kills`: in each of them a stage lands its rows, resumes, and is killed again and again; `upkeep`: what goes on meanwhile.
//! - `errors`: what a stage says when its store refuses; `faulty`: a store and a network that fail at random.
//! - `requests`: what a commit and a look cost.

mod azurite;
mod errors;
mod faulty;
mod gcs;
mod hdfs;
mod in_process;
mod kills;
mod requests;
mod upkeep;
mod versitygw;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use lake::Lake;
use parquet_sink::StageConfig;
use parquet_sink::failpoints::Failpoints;
use s3s::{Body, HttpError, HttpRequest, HttpResponse};
use secrecy::{ExposeSecret, SecretString};
use tokio::net::TcpListener;

use crate::support::*;

/// Where a lake is, as a stage's settings say it.
#[derive(Debug, Clone)]
struct Place {
    lake: String,
    options: BTreeMap<String, SecretString>,
}

impl Place {
    fn new(lake: impl Into<String>) -> Self {
        Self {
            lake: lake.into(),
            options: BTreeMap::new(),
        }
    }

    /// A lake in the bucket of the S3 server at this address, whose one user has these keys.
    fn s3(addr: impl std::fmt::Display, key: &str, secret: &str) -> Self {
        Self::new("s3://bucket/lake")
            .with("aws_endpoint", format!("http://{addr}"))
            .with("aws_allow_http", "true")
            .with("aws_region", "us-east-1")
            .with("aws_access_key_id", key)
            .with("aws_secret_access_key", secret)
    }

    /// With another option, or another value of one.
    fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        let value = SecretString::from(value.into());
        self.options.insert(name.to_owned(), value);
        self
    }

    /// The same store, another address in it.
    fn at(&self, lake: impl Into<String>) -> Self {
        Self {
            lake: lake.into(),
            options: self.options.clone(),
        }
    }

    fn open(&self) -> Lake {
        Lake::open_str(&self.lake, self.options.clone()).unwrap()
    }

    /// Puts a stage's lake here.
    fn set(&self, config: &mut StageConfig) {
        config.settings.lake.clone_from(&self.lake);
        config.settings.options.clone_from(&self.options);
    }

    /// The settings of a stage whose lake is here, as they stand in its configuration file.
    fn yaml(&self) -> String {
        let options = self.options.iter();
        let options = options.map(|(name, value)| format!("{name}: {:?}", value.expose_secret()));
        let options = options.collect::<Vec<_>>().join(", ");
        format!("  lake: {}\n  options: {{ {options} }}\n", self.lake)
    }
}

/// Serves HTTP on a free port, as long as the test's runtime lives.
async fn serve<F>(answer: impl Fn(HttpRequest) -> F + Clone + Send + Sync + 'static) -> SocketAddr
where
    F: Future<Output = Result<HttpResponse, HttpError>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let http = auto::Builder::new(TokioExecutor::new());
        while let Ok((socket, _)) = listener.accept().await {
            let answer = answer.clone();
            let service =
                service_fn(move |request: hyper::Request<_>| answer(request.map(Body::from)));
            let connection = http.serve_connection(TokioIo::new(socket), service);
            tokio::spawn(connection.into_owned());
        }
    });
    addr
}

/// An answer.
fn respond(status: u16, body: impl Into<String>) -> HttpResponse {
    let mut answer = HttpResponse::new(Body::from(body.into()));
    *answer.status_mut() = status.try_into().unwrap();
    answer
}

/// What `crypto-clean` makes of the market in the topic `crypto-raw`.
pub(crate) async fn prepared(platform: Platform) -> Platform {
    platform.module("crypto-clean", "crypto-clean", b"").await;
    platform.topic("crypto-raw", 1).await;
    platform
}

/// What a trial made whose tables are at this place.
async fn landed_at(platform: &Platform, place: &Place, trial: &str) -> Landed {
    let mut landed = platform.landed(trial, &CLEAN_MADE).await;
    let lake = place.open();
    for layer in CLEAN_MADE.layers {
        let rows = rows_in(&lake, layer).await;
        landed.layers.insert((*layer).to_owned(), rows);
    }
    landed
}

/// Runs a stage to its end, and restarts it as a supervisor would; returns how often.
async fn run_supervised(platform: &Platform, config: impl Fn() -> StageConfig) -> u32 {
    let inputs = platform.inputs(&config()).await;
    for restarts in 0.. {
        let (status, ended) = platform.run_or_end(config(), Failpoints::default()).await;
        match ended {
            Ok(())
                if status.partition(0).committed_offset.load(Ordering::Acquire) + 1 == inputs =>
            {
                return restarts;
            }
            // The last commit did not succeed in time.
            Ok(()) => {}
            // An entry of the run before was made after this run had read the log.
            Err(error) if error.to_string().contains("another copy of this stage") => {}
            Err(error) => panic!("{error:#}"),
        }
    }
    unreachable!()
}
