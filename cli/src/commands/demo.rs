//! `coinlake demo`: the whole platform on this machine, fed from a recording or a synthetic market.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use ::console::Console;
use anyhow::{Context, Result, anyhow};
use broker::Broker;
use clap::{Args, ValueEnum};
use coingecko_source::{HistorySpan, SourceSettings};
use connector_runtime::config::ConnectorConfig;
use connector_runtime::process::monitor::{Monitor, MonitorArgs, listen_addr};
use connector_runtime::process::{log, shutdown};
use connector_runtime::reader;
use market::names::topic;
use replay::{
    Faults, FieldMarket, FieldSettings, Market, Position, Recording, ReplayServer, Speed,
    SyntheticMarket, Tail,
};
use tokio_util::sync::CancellationToken;

use crate::args::SmartModulesArgs;
use crate::assets;
use crate::platform::{
    self, Backbone, BackboneConfig, ConsolePlan, DEFAULT_BROKER_LISTEN, DEFAULT_CONSOLE_LISTEN,
    DataDir, Desk, FIELD_MARKET, LastStart, Platform, ProgressLine, STOPPED, STOPPING,
    SYNTHETIC_MARKET, Summary, end_offsets, first_failure, loopback,
};
use crate::settings::DEMO_DATA_DIR;

/// The shipped 250 are a page; the field market has more coins, the odd ones among them.
const FIELD_COINS_MAX: usize = 500;

/// How often a demo asks the replay whether it has ended or failed.
const REPLAY_POLL_INTERVAL: Duration = Duration::from_millis(50);

/// A synthetic market.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SyntheticKind {
    /// Ten quiet coins for three days, with pumps, crashes, volume surges and bad payloads
    Synthetic,
    /// 282 coins for a day, delivered as CoinGecko delivers: caches, stale coins, times that go back, volume that jumps
    Field,
}

#[derive(Args)]
pub(crate) struct DemoArgs {
    /// The synthetic market to replay
    #[arg(long, value_enum, default_value_t = SyntheticKind::Synthetic, conflicts_with = "recording")]
    market: SyntheticKind,
    /// Replay this Parquet file instead of a synthetic market; columns: event_time, coin, symbol, price_usd,
    /// market_cap_usd, volume_24h_usd
    #[arg(long, value_name = "FILE")]
    recording: Option<PathBuf>,
    /// Replay speed: 60 replays an hour of market time in a minute, `max` replays as fast as possible
    #[arg(long, value_name = "N|max", default_value = "max")]
    speed: Speed,
    /// Store the data here and resume from it next time [default: coinlake-demo, emptied at every start]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Address of the broker, or a port on loopback; port 0 selects a free port [default: 127.0.0.1:9003, with --exit a free port]
    #[arg(long, value_name = "[ADDR:]PORT", value_parser = listen_addr)]
    listen: Option<SocketAddr>,
    /// Address of the web console, or a port on loopback; port 0 selects a free port [default: 127.0.0.1:9080, with --exit no
    /// console]
    #[arg(long, value_name = "[ADDR:]PORT", value_parser = listen_addr)]
    console: Option<SocketAddr>,
    #[command(flatten)]
    smartmodules: SmartModulesArgs,
    /// Exit when every record has been processed and committed
    #[arg(long)]
    exit: bool,
    /// Print the summary as a JSON object on stdout
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    monitor: MonitorArgs,
}

impl DemoArgs {
    /// Whether it replays as fast as it can.
    pub(crate) fn in_a_hurry(&self) -> bool {
        self.speed == Speed::Max
    }

    /// Whether the demo runs on the synthetic market.
    pub(crate) fn is_synthetic(&self) -> bool {
        self.recording.is_none() && self.market == SyntheticKind::Synthetic
    }

    fn is_field(&self) -> bool {
        self.recording.is_none() && self.market == SyntheticKind::Field
    }

    /// Opens the market; the text names it.
    fn open_market(&self) -> Result<(Market, String)> {
        Ok(match &self.recording {
            Some(path) => {
                let recording = Recording::open(path)?;
                let path = path.canonicalize().unwrap_or_else(|_| path.clone());
                (
                    Market::Recording(recording),
                    format!("the recording {}", path.display()),
                )
            }
            None => match self.market {
                SyntheticKind::Synthetic => (
                    Market::Synthetic(SyntheticMarket::default()),
                    SYNTHETIC_MARKET.to_owned(),
                ),
                SyntheticKind::Field => (Market::Field(field_market()), FIELD_MARKET.to_owned()),
            },
        })
    }

    /// Opens the data directory; the default one is emptied first.
    fn open_data_dir(&self, market: &str) -> Result<DataDir> {
        let market = platform::Market::in_usd(market);
        match &self.data {
            Some(dir) => DataDir::open(dir, &market),
            None => {
                DataDir::clear(Path::new(DEMO_DATA_DIR))?;
                DataDir::open(Path::new(DEMO_DATA_DIR), &market)
            }
        }
    }

    fn listen(&self) -> SocketAddr {
        // Nothing connects to a demo that ends by itself, so it can leave the well-known port free.
        let default = match self.exit {
            true => loopback(0),
            false => DEFAULT_BROKER_LISTEN,
        };
        self.listen.unwrap_or(default)
    }

    fn console(&self) -> Option<SocketAddr> {
        match self.exit {
            true => self.console,
            false => Some(self.console.unwrap_or(DEFAULT_CONSOLE_LISTEN)),
        }
    }
}

/// Runs until everything is processed (`--exit`) or until it is interrupted.
///
/// # Errors
/// When the demo cannot start, a part of it fails or the market does. Whatever failed, the others commit what they have read.
pub(crate) async fn run(args: DemoArgs) -> Result<()> {
    let interrupted = shutdown::on_signal();
    let started = Instant::now();
    // Everything that can be wrong with the arguments is found before anything is created.
    let (market, market_name) = args.open_market()?;
    let smartmodules = args.smartmodules.read()?;
    let records_total = market.records_total();
    // Ports are taken first: a refused start must not empty the data of the last demo.
    let monitor = Monitor::start(&args.monitor, "demo").await?;
    let listener = Broker::bind(args.listen()).await.context("--listen")?;
    let console_listener = match args.console() {
        Some(listen) => Some(Console::bind(listen).await.context("--console")?),
        None => None,
    };
    let data = args.open_data_dir(&market_name)?;
    let mut backbone = Backbone::start(BackboneConfig {
        data: data.clone(),
        listener,
        advertise: None,
        smartmodules,
        retention: None,
        last_start: LastStart::default(),
    })
    .await?;
    let console = match console_listener {
        Some(listener) => {
            let clock = backbone.cluster().clock().clone();
            let plan = ConsolePlan {
                speed: match args.speed {
                    Speed::Times(times) => Some(times),
                    Speed::Max => None,
                },
                listener,
                allowed_hosts: Vec::new(),
                desk: Arc::new(Desk::open(data.root(), clock, Vec::new())?),
            };
            Some(backbone.serve_console(plan).await?)
        }
        None => None,
    };
    let places = Places {
        broker: backbone.addr(),
        lake: backbone.lake_url(),
        console,
    };
    let replay = start_replay(&backbone, market, args.speed).await?;
    let mut source = source_config(replay.base_url())?;
    if args.is_field() {
        source.settings.top = Some(FIELD_COINS_MAX);
    }
    let mut platform = Platform::launch(backbone, source, assets::stages()?);
    platform.observe(&monitor);
    log::say(&format!(
        "broker at {}, lake at {}, market: {market_name}",
        places.broker, places.lake
    ));
    if let Some(console) = console {
        log::say(&format!("console at http://{console}"));
    }

    let progress = ProgressLine::start(&platform, Some(replay.progress()));
    let processed = tokio::select! {
        () = interrupted.cancelled() => Ok(false),
        drained = drained(&mut platform, &replay, records_total) => drained.map(|()| true),
        error = failed(&replay) => Err(error),
    };
    progress.finish();
    let ended = match processed {
        Ok(true) => {
            platform.source_status().market_ended();
            stay(&args, &mut platform, started, &places, &interrupted).await
        }
        Ok(false) => Ok(()),
        Err(error) => Err(error),
    };
    if interrupted.is_cancelled() {
        log::say(STOPPING);
    }
    // Whatever failed, the others commit what they have read.
    let (backbone, failures) = platform.stop().await;
    backbone.stop().await;
    first_failure(ended.err().into_iter().chain(failures))?;
    if interrupted.is_cancelled() {
        log::say(STOPPED);
    }
    Ok(())
}

/// Where a demo can be looked at.
struct Places {
    broker: SocketAddr,
    lake: String,
    console: Option<SocketAddr>,
}

/// Sums up, and keeps everything running until it is interrupted, unless the demo is to end by itself.
async fn stay(
    args: &DemoArgs,
    platform: &mut Platform,
    started: Instant,
    places: &Places,
    interrupted: &CancellationToken,
) -> Result<()> {
    let client = platform.connect().await?;
    let sent = platform.source_status().records.load(Ordering::Relaxed);
    let summary = Summary::collect(&client, &places.lake, sent, started.elapsed()).await?;
    if args.json {
        outln!("{}", serde_json::to_string(&summary)?);
    } else {
        log::say(&summary.to_string());
    }
    if args.exit {
        return Ok(());
    }
    log::say(&format!(
        "the market is drained; the broker stays at {} until Ctrl-C",
        places.broker
    ));
    if let Some(console) = places.console {
        log::say(&format!(
            "console at http://{console}; in another terminal, try `coinlake health` and `coinlake train run`"
        ));
    }
    tokio::select! {
        () = interrupted.cancelled() => Ok(()),
        error = platform.failed() => Err(error),
    }
}

/// The field market without error replies: their pauses are minutes of the clock, not of the market.
fn field_market() -> FieldMarket {
    FieldMarket::new(FieldSettings {
        faults: Faults {
            refusals: false,
            ..Faults::ALL
        },
        ..FieldSettings::default()
    })
}

/// Resolves when the market has come to its end and every stage is done with it.
async fn drained(
    platform: &mut Platform,
    replay: &ReplayServer,
    records_total: Option<u64>,
) -> Result<()> {
    // What was fetched may still be on its way to the topic.
    let mut poll = tokio::time::interval(REPLAY_POLL_INTERVAL);
    while !replay.finished() {
        tokio::select! {
            _ = poll.tick() => {}
            error = platform.failed() => return Err(error),
        }
    }
    platform.drained(records_total.unwrap_or(0)).await
}

/// Serves the market from the record after the last one in crypto-raw.
async fn start_replay(backbone: &Backbone, market: Market, speed: Speed) -> Result<ReplayServer> {
    let client = backbone.connect().await?;
    let mut tails = Vec::new();
    for (partition, records) in (0..).zip(end_offsets(&client, topic::RAW).await?) {
        let last = reader::read_tail(&client, topic::RAW, partition).await?;
        tails.push(Tail {
            records,
            last: last.map(|record| record.value.to_vec()),
        });
    }
    let position = Position::from_tails(tails, coingecko_source::partition_of);
    Ok(ReplayServer::start(market, speed, position).await?)
}

/// The shipped source, polling the replay without a pause.
fn source_config(base_url: String) -> Result<ConnectorConfig<SourceSettings>> {
    let mut config = assets::source()?;
    config.settings.base_url = Some(base_url);
    config.settings.poll_interval = Some(Duration::ZERO);
    config.settings.history = Some(HistorySpan::Off);
    Ok(config)
}

/// Resolves when the replay has failed.
async fn failed(replay: &ReplayServer) -> anyhow::Error {
    let mut poll = tokio::time::interval(REPLAY_POLL_INTERVAL);
    loop {
        poll.tick().await;
        if let Some(failure) = replay.failure() {
            return anyhow!(failure);
        }
    }
}
