//! A faulty store: 409, 500 and 503 before and after the write, late responses, late writes; and a network that cuts uploads and
//! responses at any byte.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use faults::{Listening, Network, Proxy};
use parquet_sink::StageConfig;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use s3s::{Body, HttpError, HttpRequest, HttpResponse};

use super::in_process::{KEY, SECRET, Store};
use super::{Place, landed_at, prepared, respond, run_supervised, serve};
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
    /// S3 answers 409 to a conditional put when another request for the same name is under way.
    fn draw(random: &mut ChaCha8Rng, is_conditional: bool) -> Self {
        match random.random_range(0..100) {
            0..4 if is_conditional => Self::Refused(409),
            4..8 if is_conditional => Self::DoneButRefused(409),
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
    store: Arc<Store>,
    random: Mutex<ChaCha8Rng>,
    calm: AtomicBool,
    faults: AtomicU64,
}

impl FaultyStore {
    /// Serves it on a free port, as long as the test's runtime lives.
    async fn serve(folder: &Path, seed: u64) -> (Arc<Self>, SocketAddr) {
        let faulty = Arc::new(Self {
            store: Store::new(folder),
            random: Mutex::new(ChaCha8Rng::seed_from_u64(seed)),
            calm: AtomicBool::new(false),
            faults: AtomicU64::new(0),
        });
        let shared = faulty.clone();
        let addr = serve(move |request| shared.clone().answer(request)).await;
        (faulty, addr)
    }

    async fn answer(self: Arc<Self>, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (head, mut body) = request.into_parts();
        // The store ignores an upload that was cut off.
        let body = body.store_all_limited(REQUEST_BYTES_MAX).await;
        let body = body.map_err(HttpError::new)?;
        let is_conditional = head.headers.contains_key("if-none-match");
        let request = HttpRequest::from_parts(head, Body::from(body));
        let fault = match self.calm.load(Ordering::Relaxed) {
            true => Fault::Answered,
            false => Fault::draw(&mut self.random.lock().unwrap(), is_conditional),
        };
        if fault != Fault::Answered {
            self.faults.fetch_add(1, Ordering::Relaxed);
        }
        // A task of its own, as the client may disconnect before it is done.
        let done = tokio::spawn(async move {
            match fault {
                Fault::Refused(status) => return Ok(respond(status, "")),
                Fault::DoneLate => tokio::time::sleep(TOO_LATE).await,
                _ => {}
            }
            let answer = self.store.answer(request).await;
            match fault {
                Fault::DoneButRefused(status) => Ok(respond(status, "")),
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

async fn behind_a_bad_network(server: SocketAddr, seed: u64) -> (Proxy, SocketAddr) {
    let listening = Listening::start().await.unwrap();
    let addr = listening.addr().unwrap();
    (listening.forward(server, NETWORK, seed), addr)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_faulty_store_loses_nothing() {
    let platform = prepared(Platform::start().await).await;
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
        let place = Place::s3(addr, KEY, SECRET).with("timeout", TIMEOUT);
        let config = || {
            let mut config = small_files(platform.config(&trial, CLEAN));
            place.set(&mut config);
            config
        };
        restarts += run_supervised(&platform, config).await;

        faulty.calm.store(true, Ordering::Relaxed);
        let landed = landed_at(&platform, &Place::s3(server, KEY, SECRET), &trial).await;
        assert_same(&landed, &golden, &trial);
        assert!(proxy.cuts() > 0, "the network must have cut connections");
        bad_answers += faulty.faults.load(Ordering::Relaxed);
        cuts += proxy.cuts();
    }
    println!(
        "the store: {bad_answers} faulty responses, {cuts} connections cut, {restarts} restarts; every row landed once"
    );
}
