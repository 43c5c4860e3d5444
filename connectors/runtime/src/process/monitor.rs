//! What a process says about itself over HTTP, for Prometheus and for whoever starts and stops processes.
//!
//! - `GET /metrics`: everything counted through the `metrics` facade, as Prometheus text. Counting costs next to nothing
//!   in a process without a monitor.
//! - `GET /healthz`: 200 while everything the process should do is being done; a task that ended makes it 503. A broker,
//!   lake or server that is away does not: starting the process anew would not bring it back.
//! - `GET /readyz`: 200 while the process can do its work as far as it knows, which is never older than some seconds.
//!
//! Both answer with a line for each part, `[+]stage-clean ok` or `[-]stage-clean: why not`; `/readyz` adds a line
//! `[!]coingecko-source: a note` for what deserves a look. They run on the runtime of the work itself, so that a runtime
//! that hangs does not answer.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use futures_util::future::BoxFuture;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

/// Upper bounds of histograms of seconds: from a batch through a SmartModule to a commit over a slow network.
const SECONDS_BUCKETS: [f64; 16] = [
    0.000_1, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0,
    15.0, 60.0,
];

/// How often what histograms recorded is put into buckets, so that it does not pile up while nobody asks.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// Whether and where a process tells about itself.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct MonitorArgs {
    /// Serve /metrics, /healthz and /readyz there: HOST:PORT, or a PORT on loopback; 0 takes any free one.
    #[arg(long, value_name = "ADDR", value_parser = listen_addr)]
    pub metrics_listen: Option<SocketAddr>,
}

/// A part of a process whose state probes ask for. `Err` says why not, in a phrase.
pub trait Observed: Send + Sync {
    /// Whether what it should do is being done.
    fn alive(&self) -> Result<(), String>;
    /// Whether it can do its work.
    fn ready(&self) -> Result<(), String>;
    /// What deserves a look although the work goes on, a sentence each.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }
    /// Metrics of things that come and go, as Prometheus text: what is counted through the facade stays for ever.
    fn metrics(&self) -> String {
        String::new()
    }
}

/// What a part of a process says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartReport {
    /// The part, such as `stage-clean`.
    pub name: String,
    /// Why it cannot do its work; `None`: it can.
    pub problem: Option<String>,
    /// What deserves a look although the work goes on.
    pub notes: Vec<String>,
}

/// What is told about this process; it is told as long as this lives.
pub struct Monitor {
    parts: Arc<Parts>,
    addr: Option<SocketAddr>,
    _tasks: Vec<AbortOnDropHandle<()>>,
}

type Parts = Mutex<Vec<(String, Arc<dyn Observed>)>>;

impl Monitor {
    /// Starts to count, and to answer where the arguments say; without an address nothing happens. Call it before what
    /// counts is started.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub fn start<'a>(
        args: &'a MonitorArgs,
        process: &'a str,
    ) -> BoxFuture<'a, anyhow::Result<Self>> {
        Box::pin(Self::open(args, process))
    }

    async fn open(args: &MonitorArgs, process: &str) -> anyhow::Result<Self> {
        let parts = Arc::<Parts>::default();
        let Some(listen) = args.metrics_listen else {
            return Ok(Self {
                parts,
                addr: None,
                _tasks: Vec::new(),
            });
        };
        let listener = TcpListener::bind(listen)
            .await
            .with_context(|| format!("cannot listen on {listen} (--metrics-listen)"))?;
        let addr = listener.local_addr()?;
        let numbers = numbers()?;
        metrics::gauge!(
            "coinlake_build_info",
            "version" => env!("CARGO_PKG_VERSION"),
            "process" => process.to_owned()
        )
        .set(1.0);
        let upkeep = numbers.clone();
        let upkeep = async move {
            let mut timer = tokio::time::interval(UPKEEP_INTERVAL);
            loop {
                timer.tick().await;
                upkeep.run_upkeep();
            }
        };
        let server = serve(listener, parts.clone(), numbers);
        crate::process::log::say(&format!("metrics at http://{addr}/metrics"));
        Ok(Self {
            parts,
            addr: Some(addr),
            _tasks: vec![
                AbortOnDropHandle::new(tokio::spawn(upkeep)),
                AbortOnDropHandle::new(tokio::spawn(server)),
            ],
        })
    }

    /// Where it answers.
    pub fn addr(&self) -> Option<SocketAddr> {
        self.addr
    }

    /// What every part says now.
    pub fn reports(&self) -> Vec<PartReport> {
        reports(&self.parts)
    }

    /// Adds a part. Before the first the process isn't ready.
    pub fn observe(&self, name: impl Into<String>, part: Arc<dyn Observed>) {
        lock(&self.parts).push((name.into(), part));
    }
}

/// Where to listen: `HOST:PORT`, or a port on loopback.
///
/// # Errors
/// A phrase that says what is accepted.
pub fn listen_addr(text: &str) -> Result<SocketAddr, String> {
    if let Ok(port) = text.parse() {
        return Ok(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port));
    }
    text.parse()
        .map_err(|_| "give an IP address and a port such as 0.0.0.0:9464, or a port".to_owned())
}

/// The process's one recorder.
static INSTALLED: OnceLock<PrometheusHandle> = OnceLock::new();

/// Whether this process serves its metrics, so that what only they show is worth finding out.
pub fn has_metrics() -> bool {
    INSTALLED.get().is_some()
}

fn numbers() -> anyhow::Result<PrometheusHandle> {
    if let Some(installed) = INSTALLED.get() {
        return Ok(installed.clone());
    }
    let recorder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS_BUCKETS)?
        .build_recorder();
    let handle = INSTALLED.get_or_init(|| recorder.handle()).clone();
    // An error means that somebody else has just installed theirs, which is the one in the cell.
    let _ = metrics::set_global_recorder(recorder);
    describe();
    Ok(handle)
}

fn describe() {
    metrics::describe_gauge!(
        "coinlake_build_info",
        "1; which process of which version this is"
    );
    metrics_process::Collector::default().describe();
}

async fn serve(listener: TcpListener, parts: Arc<Parts>, numbers: PrometheusHandle) {
    let metrics = move |State(parts): State<Arc<Parts>>| async move {
        metrics_process::Collector::default().collect();
        let mut metrics = numbers.render();
        let parts = lock(&parts).clone();
        metrics.extend(parts.iter().map(|(_, part)| part.metrics()));
        let text = [(header::CONTENT_TYPE, "text/plain; version=0.0.4")];
        (text, metrics)
    };
    let app = Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .with_state(parts);
    if let Err(error) = axum::serve(listener, app).await {
        tracing::error!("nobody is told about this process any more: {error}");
    }
}

async fn healthz(State(parts): State<Arc<Parts>>) -> impl IntoResponse {
    let parts = lock(&parts).clone();
    answer(parts.iter().map(|(name, part)| (name, part.alive())), true)
}

async fn readyz(State(parts): State<Arc<Parts>>) -> impl IntoResponse {
    let reports = reports(&parts);
    let started = !reports.is_empty();
    let ready = reports.iter().map(|report| {
        let problem = report.problem.clone();
        (&report.name, problem.map_or(Ok(()), Err))
    });
    let (status, mut body) = answer(ready, started);
    for PartReport { name, notes, .. } in &reports {
        for note in notes {
            body += &format!("[!]{name}: {note}\n");
        }
    }
    (status, body)
}

fn reports(parts: &Parts) -> Vec<PartReport> {
    let parts = lock(parts).clone();
    let reports = parts.into_iter().map(|(name, part)| PartReport {
        name,
        problem: part.ready().err(),
        notes: part.notes(),
    });
    reports.collect()
}

fn answer<'a>(
    found: impl Iterator<Item = (&'a String, Result<(), String>)>,
    mut good: bool,
) -> (StatusCode, String) {
    let mut body = match good {
        true => String::new(),
        false => "[-]starting\n".to_owned(),
    };
    for (name, found) in found {
        match found {
            Ok(()) => body += &format!("[+]{name} ok\n"),
            Err(why) => {
                good = false;
                body += &format!("[-]{name}: {why}\n");
            }
        }
    }
    match good {
        true => (StatusCode::OK, body),
        false => (StatusCode::SERVICE_UNAVAILABLE, body),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // Every critical section is one operation on a list: there is no half-done state behind a poisoned lock.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
