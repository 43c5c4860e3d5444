//! A faulty store: 500 and 503 before and after the write, late responses, late writes; and a network that cuts uploads and
//! responses at any byte.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use faults::{Listening, Network, Proxy};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use lake::Lake;
use parquet_sink::StageConfig;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use s3s::service::S3Service;
use s3s::{Body, HttpError, HttpRequest, HttpResponse};
use secrecy::SecretString;
use tokio::net::TcpListener;

use crate::s3::{options, store};
use crate::support::*;

/// How long a client waits for a response.
const TIMEOUT: &str = "500ms";
/// Longer than [`TIMEOUT`].
const TOO_LATE: Duration = Duration::from_millis(700);
const REQUEST_BYTES_MAX: usize = 64 << 20;

const NETWORK: Network = Network {
    cut_after_bytes: 60_000,
    silent_percent: 10,
    silence: Duration::from_millis(600),
    late_percent: 1,
    late_max: Duration::from_millis(50),
};

/// What goes wrong with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// Nothing.
    Answered,
    /// Not done, with a correct error.
    Refused(u16),
    /// Done, but with an error.
    DoneButRefused(u16),
    /// Done, but the connection breaks before the response.
    DoneButBroken,
    /// Done, but the response comes after the client gave up.
    AnsweredLate,
    /// Done after the client gave up.
    DoneLate,
}

impl Fault {
    fn draw(random: &mut ChaCha8Rng) -> Self {
        match random.random_range(0..100) {
            0..8 => Self::Refused(500),
            8..16 => Self::Refused(503),
            16..24 => Self::DoneButRefused(500),
            24..30 => Self::DoneButBroken,
            30..32 => Self::AnsweredLate,
            32..34 => Self::DoneLate,
            _ => Self::Answered,
        }
    }
}

/// A store that answers requests with these faults.
struct FaultyStore {
    store: S3Service,
    random: Mutex<ChaCha8Rng>,
    calm: AtomicBool,
    faults: AtomicU64,
    /// One request at a time: s3s-fs, unlike S3, may create an object twice when requests come at the same moment.
    turn: tokio::sync::Mutex<()>,
}

impl FaultyStore {
    /// Serves it on a free port, as long as the test's runtime lives.
    async fn serve(folder: &Path, seed: u64) -> (Arc<Self>, SocketAddr) {
        let faulty = Arc::new(Self {
            store: store(folder),
            random: Mutex::new(ChaCha8Rng::seed_from_u64(seed)),
            calm: AtomicBool::new(false),
            faults: AtomicU64::new(0),
            turn: tokio::sync::Mutex::default(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let shared = faulty.clone();
        tokio::spawn(async move {
            let http = auto::Builder::new(TokioExecutor::new());
            while let Ok((socket, _)) = listener.accept().await {
                let shared = shared.clone();
                let service = service_fn(move |request: hyper::Request<_>| {
                    shared.clone().answer(request.map(Body::from))
                });
                let connection = http.serve_connection(TokioIo::new(socket), service);
                tokio::spawn(connection.into_owned());
            }
        });
        (faulty, addr)
    }

    async fn answer(self: Arc<Self>, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (head, mut body) = request.into_parts();
        // The store ignores an upload that was cut off.
        let body = body.store_all_limited(REQUEST_BYTES_MAX).await;
        let body = body.map_err(HttpError::new)?;
        let request = HttpRequest::from_parts(head, Body::from(body));
        let fault = match self.calm.load(Ordering::Relaxed) {
            true => Fault::Answered,
            false => Fault::draw(&mut self.random.lock().unwrap()),
        };
        if fault != Fault::Answered {
            self.faults.fetch_add(1, Ordering::Relaxed);
        }
        // A task of its own, as the client may disconnect before it is done.
        let done = tokio::spawn(async move {
            match fault {
                Fault::Refused(status) => return Ok(refusal(status)),
                Fault::DoneLate => tokio::time::sleep(TOO_LATE).await,
                _ => {}
            }
            let answer = {
                let _turn = self.turn.lock().await;
                self.store.call(request).await
            };
            match fault {
                Fault::DoneButRefused(status) => Ok(refusal(status)),
                Fault::DoneButBroken => Err(HttpError::new("broken on purpose".into())),
                Fault::AnsweredLate => {
                    tokio::time::sleep(TOO_LATE).await;
                    answer
                }
                _ => answer,
            }
        });
        done.await.unwrap()
    }
}

fn refusal(status: u16) -> HttpResponse {
    let mut answer = HttpResponse::new(Body::empty());
    *answer.status_mut() = status.try_into().unwrap();
    answer
}

async fn behind_a_bad_network(server: SocketAddr, seed: u64) -> (Proxy, SocketAddr) {
    let listening = Listening::start().await.unwrap();
    let addr = listening.addr().unwrap();
    (listening.forward(server, NETWORK, seed), addr)
}

/// Runs a stage to its end, and restarts it as a supervisor would.
async fn run_supervised(platform: &Platform, config: impl Fn() -> StageConfig) -> u32 {
    let inputs = platform.inputs(&config()).await;
    for restarts in 0.. {
        let mut stage = platform.start_stage(config());
        let status = stage.status.clone();
        let ended = tokio::select! {
            ended = &mut stage.task => ended.unwrap(),
            () = eventually("the stage handles its inputs", || async {
                stage.status.next_input() >= inputs
            }) => stage.stops().await,
        };
        match ended {
            Ok(())
                if status.partition(0).committed_offset.load(Ordering::Acquire) + 1 == inputs =>
            {
                return restarts;
            }
            // The last commit did not succeed in time.
            Ok(()) => {}
            // A put of the run before took effect after this run had listed the lake.
            Err(error) if error.to_string().contains("another copy of this stage") => {}
            Err(error) => panic!("{error:#}"),
        }
    }
    unreachable!()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_faulty_store_loses_nothing() {
    let platform = Platform::start().await;
    platform.module("crypto-clean", "crypto-clean", b"").await;
    platform.topic("crypto-raw", 1).await;
    platform.produce("crypto-raw", 0, &market(200)).await;
    let small_files = |mut config: StageConfig| {
        config.settings.limits.rows_max = 20;
        config
    };
    platform
        .run_to_end(small_files(platform.config("golden", CLEAN)))
        .await;
    let golden = platform.landed("golden", &CLEAN_MADE).await;

    let seed = faults::seed();
    let (mut bad_answers, mut cuts, mut restarts) = (0, 0, 0);
    for run in 0..faults::times(2, 60) {
        let trial = format!("faulty-{run}");
        let folder = platform.data.path().join(&trial);
        let (faulty, server) = FaultyStore::serve(&folder, seed + run).await;
        let (proxy, addr) = behind_a_bad_network(server, seed + run).await;
        let config = || {
            let mut config = small_files(platform.config(&trial, CLEAN));
            config.settings.lake = "s3://bucket/lake".to_owned();
            config.settings.options = options(&format!("http://{addr}"));
            let timeout = SecretString::from(TIMEOUT.to_owned());
            config
                .settings
                .options
                .insert("timeout".to_owned(), timeout);
            config
        };
        restarts += run_supervised(&platform, config).await;

        let mut landed = platform.landed(&trial, &CLEAN_MADE).await;
        faulty.calm.store(true, Ordering::Relaxed);
        let options = options(&format!("http://{server}"));
        let lake = Lake::open_str("s3://bucket/lake", options).unwrap();
        for layer in CLEAN_MADE.layers {
            let mut rows = Vec::new();
            for file in lake.files(layer).await.unwrap() {
                rows.extend(rows_of(lake.read(&file.path).await.unwrap()));
            }
            landed.layers.insert((*layer).to_owned(), rows);
        }
        assert_same(&landed, &golden, &trial);
        assert!(proxy.cuts() > 0, "the network must have cut connections");
        bad_answers += faulty.faults.load(Ordering::Relaxed);
        cuts += proxy.cuts();
    }
    println!(
        "the store: {bad_answers} faulty responses, {cuts} connections cut, {restarts} restarts; every row landed once"
    );
}
