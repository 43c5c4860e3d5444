//! `coinlake demo`: everything on this machine, fed from a recording or the made-up market.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use clap::Args;
use coingecko_source::SourceSettings;
use connector_runtime::config::ConnectorConfig;
use connector_runtime::config::Secrets;
use connector_runtime::process::monitor::{Monitor, MonitorArgs};
use connector_runtime::process::{log, shutdown};
use connector_runtime::reader;
use replay::{MadeUpMarket, Market, Position, Recording, ReplayServer, Speed, Tail};

use crate::assets;
use crate::console;
use crate::data_dir::DataDir;
use crate::platform::{Backbone, DEFAULT_LISTEN, RAW, ends};
use crate::progress::ProgressLine;
use crate::summary::Summary;

/// Where a demo without `--data` keeps its data; emptied when the next one starts.
const SCRATCH: &str = "coinlake-demo";

#[derive(Args)]
pub struct Options {
    /// Replay this Parquet file (event_time, coin, symbol, price_usd, market_cap_usd, volume_24h_usd) instead of the
    /// made-up market
    #[arg(long, value_name = "FILE")]
    recording: Option<PathBuf>,
    /// Market time per real time: 60 replays an hour a minute; `max` as fast as it goes
    #[arg(long, value_name = "N|max", default_value = "max")]
    speed: Speed,
    /// Keep the data here and go on from it the next time [default: coinlake-demo, emptied at every start]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Where the broker listens; port 0 takes any free one [default: 127.0.0.1:9003, with --exit any free port]
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<SocketAddr>,
    /// Where the web page is served; port 0 takes any free one [default: 127.0.0.1:9080, with --exit none]
    #[arg(long, value_name = "ADDR:PORT")]
    console: Option<SocketAddr>,
    /// Folder of the SmartModules [default: ../smartmodules beside this command]
    #[arg(long, value_name = "DIR")]
    smartmodules: Option<PathBuf>,
    /// End when the market is drained and committed
    #[arg(long)]
    exit: bool,
    /// Print the summary as one JSON object on stdout
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    monitor: MonitorArgs,
}

impl Options {
    /// Whether no recording is named.
    pub fn is_made_up(&self) -> bool {
        self.recording.is_none()
    }

    fn market(&self) -> Result<(Market, String)> {
        Ok(match &self.recording {
            Some(path) => {
                let recording = Recording::open(path)?;
                let path = path.canonicalize().unwrap_or_else(|_| path.clone());
                (
                    Market::Recording(recording),
                    format!("the recording {}", path.display()),
                )
            }
            None => (
                Market::MadeUp(MadeUpMarket::default()),
                "the made-up market".to_owned(),
            ),
        })
    }

    fn data_dir(&self, market: &str) -> Result<DataDir> {
        match &self.data {
            Some(dir) => DataDir::open(dir, market),
            None => {
                DataDir::clear(Path::new(SCRATCH))?;
                DataDir::open(Path::new(SCRATCH), market)
            }
        }
    }

    fn listen(&self) -> SocketAddr {
        // Nobody has the time to look at a demo that ends by itself: it need not take the well-known port.
        let default = if self.exit {
            "127.0.0.1:0"
        } else {
            DEFAULT_LISTEN
        };
        self.listen
            .unwrap_or_else(|| default.parse().expect("a literal address"))
    }

    fn console(&self) -> Option<SocketAddr> {
        let default = || console::DEFAULT_LISTEN.parse().expect("a literal address");
        match self.exit {
            true => self.console,
            false => Some(self.console.unwrap_or_else(default)),
        }
    }
}

/// Runs the demo until it is drained (`--exit`) or interrupted.
pub async fn run(options: Options) -> Result<()> {
    let interrupted = shutdown::on_signal();
    let started = Instant::now();
    // Checked before anything is created.
    let (market, market_name) = options.market()?;
    let records_total = market.records_total();
    let data = options.data_dir(&market_name)?;
    let lake = data.lake();
    let monitor = Monitor::start(&options.monitor, "demo").await?;
    let mut backbone =
        Backbone::start(data, options.listen(), options.smartmodules.as_deref()).await?;
    let addr = backbone.addr();
    let console = match options.console() {
        Some(listen) => Some(backbone.serve_console(listen).await?),
        None => None,
    };
    let replay = start_replay(&backbone, market, options.speed).await?;
    let mut platform = backbone.launch(source_config(replay.base_url())?)?;
    platform.observe(&monitor);
    log::say(&format!(
        "broker at {addr}, lake at {}, market: {market_name}",
        lake.display()
    ));
    if let Some(console) = console {
        log::say(&format!("console at http://{console}"));
    }

    let progress = ProgressLine::start(&platform, Some(records_total));
    let drained = tokio::select! {
        () = interrupted.cancelled() => false,
        result = platform.passed(records_total) => { result?; true }
        error = unreadable(&replay) => return Err(error),
    };
    progress.finish();
    if !drained {
        platform.stop().await?.stop().await;
        log::say("interrupted; what was read is committed");
        return Ok(());
    }
    let client = platform.connect().await?;
    let summary = Summary::collect(&client, &lake, started.elapsed()).await?;
    if options.json {
        println!("{}", serde_json::to_string(&summary)?);
    } else {
        log::say(&summary.to_string());
    }
    if !options.exit {
        log::say(&format!(
            "the market is drained; the broker stays at {addr} until Ctrl-C"
        ));
        tokio::select! {
            () = interrupted.cancelled() => {}
            error = platform.failed() => return Err(error),
        }
    }
    platform.stop().await?.stop().await;
    Ok(())
}

/// Serves the market from where crypto-raw ends.
async fn start_replay(backbone: &Backbone, market: Market, speed: Speed) -> Result<ReplayServer> {
    let client = backbone.connect().await?;
    let mut tails = Vec::new();
    for (partition, records) in (0..).zip(ends(&client, RAW).await?) {
        let last = reader::read_tail(&client, RAW, partition).await?;
        tails.push(Tail {
            records,
            last: last.map(|record| record.value.to_vec()),
        });
    }
    let position = Position::from_tails(tails, coingecko_source::partition_of);
    Ok(ReplayServer::start(market, speed, position).await?)
}

/// The shipped source, pointed at the replay and asking as fast as it answers.
fn source_config(base_url: String) -> Result<ConnectorConfig<SourceSettings>> {
    let mut config = ConnectorConfig::<SourceSettings>::from_yaml(
        assets::SOURCE,
        coingecko_source::SECTION,
        &Secrets::none(),
    )
    .context("the shipped source config is broken")?;
    config.settings.base_url = Some(base_url);
    config.settings.poll_interval = Duration::ZERO;
    Ok(config)
}

/// Resolves when the replay cannot go on.
async fn unreadable(replay: &ReplayServer) -> anyhow::Error {
    let mut poll = tokio::time::interval(Duration::from_millis(200));
    loop {
        poll.tick().await;
        if let Some(failure) = replay.failure() {
            return anyhow!(failure);
        }
    }
}
