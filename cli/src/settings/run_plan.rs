//! What `coinlake up` runs: the file's settings with the command line's in their place, all of it checked.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf, absolute};
use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use coingecko_source::SourceSettings;
use connector_runtime::config::Secrets;
use connector_runtime::process::monitor::MonitorArgs;
use lake::{Lake, LakeUrl};
use market::names::layer;
use parquet_sink::StageConfig;
use webhook_notifier::Receiver;

use super::address::{HostPort, host_name};
use super::args::SettingsArgs;
use super::coins::source_settings;
use super::file::Settings;
use super::find::Found;
use super::problems::{Problems, SettingsProblems};
use super::rules::rules;
use super::stages::stages;
use crate::platform::{
    DEFAULT_BROKER_LISTEN, DEFAULT_CONSOLE_LISTEN, DataDir, KEPT_RUNS, LIVE_MARKET, Market,
    RetrainingPlan, UPKEEP_INTERVAL,
};

/// A stage rebuilds its state from the last hours of its topic: twice the longest horizon, and room for a broken night.
const RETENTION_MIN: Duration = Duration::from_secs(6 * 3_600);

/// Everything that `up` runs. Reading it touches neither the network nor the data.
pub(crate) struct RunPlan {
    pub(crate) data: PathBuf,
    /// The lake as an absolute folder or a URL; `None` is the data directory's own.
    pub(crate) lake: Option<String>,
    pub(crate) source: SourceSettings,
    /// Without the lake's address.
    pub(crate) stages: Vec<StageConfig>,
    pub(crate) receivers: Vec<Receiver>,
    pub(crate) listen: SocketAddr,
    pub(crate) advertise: Option<HostPort>,
    pub(crate) console: SocketAddr,
    /// Hosts that the console serves besides this machine's own names.
    pub(crate) allowed_hosts: Vec<String>,
    pub(crate) monitor: MonitorArgs,
    /// The stages' commit interval, if it is not the shipped one.
    pub(crate) commit_interval: Option<Duration>,
    /// How long topics keep records, if not as shipped.
    pub(crate) retention: Option<Duration>,
    pub(crate) retraining: Option<RetrainingPlan>,
    /// How often the lake's tables are kept in order; `None` for never.
    pub(crate) upkeep_every: Option<Duration>,
    /// How many runs upkeep leaves in the data directory.
    pub(crate) keep_runs: usize,
    pub(crate) disk_budget: Option<u64>,
    /// The file of secrets, absolute.
    pub(crate) secrets: Option<PathBuf>,
}

impl RunPlan {
    /// Reads the file that the options name, and puts the options over it. Secrets come from the environment.
    ///
    /// # Errors
    /// All that is wrong with a file of the right shape, at once; else the first thing that is not.
    pub(crate) fn read(args: &SettingsArgs) -> Result<Self, SettingsProblems> {
        let found = Found::read(args.config.as_deref())?;
        let settings = &found.settings;
        let mut problems = Problems::new(found.file.as_ref());
        let mut source = source_settings(settings.coingecko.as_ref(), args, &mut problems);
        source.calls_file = source.calls_file.map(|path| found.path(&path));
        let stages = stages(settings, &source.vs_currency, &mut problems);
        let data = args.data.clone().unwrap_or_else(|| found.data());
        let lake = lake(&data, &found, args);
        let lake = problems.keep("lake", lake).flatten();
        let webhook = args.webhook.over(&settings.webhook);
        let rules = rules(&settings.alerts, &mut problems);
        let receivers = webhook.receivers(&Secrets::from_env(), &rules);
        let receivers = problems.keep("webhook", receivers);
        let retention = retention(settings, &mut problems);
        let retraining = retraining(settings, &mut problems);
        let allowed_hosts = allowed_hosts(settings, &mut problems);
        problems.none()?;
        let console = settings.console.listen.map(|listen| listen.0);
        let listen = settings.broker.listen.map(|listen| listen.0);
        let advertise = &settings.broker.advertise;
        let metrics = settings.metrics.map(|listen| listen.0);
        let secrets = settings.secrets.as_ref().map(|path| found.path(path));
        let secrets = args.webhook.secrets.clone().or(secrets);
        let upkeep_every = settings
            .upkeep
            .every
            .map_or(UPKEEP_INTERVAL, |every| every.0);
        Ok(Self {
            data,
            lake,
            source,
            stages,
            receivers: receivers.unwrap_or_default(),
            listen: args.listen.or(listen).unwrap_or(DEFAULT_BROKER_LISTEN),
            advertise: args.advertise.clone().or_else(|| advertise.clone()),
            console: args.console.or(console).unwrap_or(DEFAULT_CONSOLE_LISTEN),
            allowed_hosts,
            monitor: MonitorArgs {
                metrics_listen: args.monitor.metrics_listen.or(metrics),
            },
            commit_interval: settings.commit_interval.map(|interval| interval.0),
            retention,
            retraining,
            upkeep_every: Some(upkeep_every).filter(|every| !every.is_zero()),
            keep_runs: keep_runs(settings),
            disk_budget: settings.disk_budget.map(|bytes| bytes.0),
            secrets: secrets.map(from_anywhere),
        })
    }

    /// What the data directory will hold.
    pub(crate) fn market(&self) -> Market {
        Market {
            name: LIVE_MARKET.to_owned(),
            currency: self.source.vs_currency.to_ascii_lowercase(),
        }
    }

    /// Whether the lake has any data.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) async fn has_rows(&self) -> Result<bool> {
        has_rows(&DataDir::at(&self.data).lake(self.lake.as_deref())).await
    }

    /// Checks whether the data directory can go on with this plan; changes nothing.
    ///
    /// # Errors
    /// When it holds something else, or its lake is elsewhere and was not moved.
    pub(crate) async fn check_data(&self) -> Result<()> {
        let Some(last_start) = DataDir::check(&self.data, &self.market())? else {
            return Ok(());
        };
        if last_start.lake == self.lake {
            return Ok(());
        }
        let data = DataDir::at(&self.data);
        let before = data.lake(last_start.lake.as_deref());
        let now = data.lake(self.lake.as_deref());
        if has_rows(&before).await? && !has_rows(&now).await? {
            bail!(
                "the lake of data directory {} is {before}, and {now} is empty: copy the one to the other first, set \
                 `lake` back, or name another directory with --data",
                self.data.display()
            );
        }
        Ok(())
    }
}

/// Whether a lake has anything of the first stage; `false` for one that does not exist.
async fn has_rows(lake: &str) -> Result<bool> {
    let url = LakeUrl::parse(lake).map_err(|problem| anyhow!("lake: {problem}"))?;
    if url.folder().is_some_and(|folder| !folder.exists()) {
        return Ok(false);
    }
    let raw = Lake::open_existing(&url)?.table(layer::RAW);
    Ok(raw.summary().await?.is_some_and(|raw| raw.rows > 0))
}

/// For people.
impl fmt::Display for RunPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = &self.source;
        match source.ids.as_slice() {
            [] => write!(
                f,
                "coins       the {} largest",
                source.top.unwrap_or_default()
            )?,
            ids => write!(f, "coins       {}", ids.join(", "))?,
        }
        write!(f, ", in {}", source.vs_currency)?;
        match source.poll_interval {
            Some(every) => writeln!(f, ", every {}", humantime::format_duration(every))?,
            None => writeln!(f, ", as often as the plan's calls allow")?,
        }
        writeln!(f, "data        {}", self.data.display())?;
        let data = DataDir::at(&self.data);
        writeln!(f, "lake        {}", data.lake(self.lake.as_deref()))?;
        let hosts: Vec<&str> = self.receivers.iter().map(Receiver::host).collect();
        match hosts.as_slice() {
            [] => writeln!(f, "webhook     none")?,
            hosts => writeln!(f, "webhook     {}", hosts.join(", "))?,
        }
        write!(f, "broker      {}", self.listen)?;
        if let Some(address) = &self.advertise {
            write!(f, ", elsewhere {}:{}", address.host, address.port)?;
        }
        write!(f, "\nconsole     http://{}", self.console)?;
        if !self.allowed_hosts.is_empty() {
            write!(f, ", as {}", self.allowed_hosts.join(", "))?;
        }
        if let Some(retraining) = &self.retraining {
            let every = humantime::format_duration(retraining.every);
            write!(f, "\ntraining    every {every}")?;
        }
        if let Some(metrics) = self.monitor.metrics_listen {
            write!(f, "\nmetrics     http://{metrics}/metrics")?;
        }
        Ok(())
    }
}

fn retention(settings: &Settings, problems: &mut Problems<'_>) -> Option<Duration> {
    let retention = settings.broker.retention?.0;
    if let Err(problem) = usable_retention(retention) {
        problems.report(
            "broker.retention",
            format!(
                "broker.retention is {}: {problem}",
                humantime::format_duration(retention)
            ),
        );
    }
    Some(retention)
}

/// Whether topics can keep records this long.
///
/// # Errors
/// What to set instead.
pub(crate) fn usable_retention(retention: Duration) -> Result<(), &'static str> {
    if retention < RETENTION_MIN {
        return Err("set at least 6h, because a restart reads the last hours again");
    }
    match u32::try_from(retention.as_secs()) {
        Ok(_) => Ok(()),
        Err(_) => Err("set at most 136years, which is as far as Fluvio counts"),
    }
}

fn allowed_hosts(settings: &Settings, problems: &mut Problems<'_>) -> Vec<String> {
    let hosts = &settings.console.allowed_hosts;
    for host in hosts {
        if let Err(problem) = host_name(host) {
            problems.report(
                "console.allowed_hosts",
                format!("console.allowed_hosts: {problem}"),
            );
        }
    }
    hosts.clone()
}

fn retraining(settings: &Settings, problems: &mut Problems<'_>) -> Option<RetrainingPlan> {
    let every = settings.train.every?.0;
    if every.is_zero() {
        problems.report(
            "train.every",
            "train.every is 0: set a duration such as 24h",
        );
    }
    let since = settings.train.since.map(|since| since.0);
    if since.is_some_and(|since| since.is_zero()) {
        problems.report(
            "train.since",
            "train.since is 0: set a duration such as 14d, or leave it out to train on all rows",
        );
    }
    Some(RetrainingPlan { every, since })
}

/// `0` is for all.
fn keep_runs(settings: &Settings) -> usize {
    match settings.train.keep_runs {
        Some(0) => usize::MAX,
        Some(runs) => runs as usize,
        None => KEPT_RUNS,
    }
}

/// The lake that is set, unless it is the data directory's own.
fn lake(data: &Path, found: &Found, args: &SettingsArgs) -> Result<Option<String>, String> {
    let (text, is_option) = match (&args.lake, &found.settings.lake) {
        (Some(text), _) => (text, true),
        (None, Some(text)) => (text, false),
        (None, None) => return Ok(None),
    };
    let url = LakeUrl::parse(text).map_err(|problem| format!("lake: {problem}"))?;
    let Some(folder) = url.folder() else {
        return Ok(Some(text.clone()));
    };
    let folder = match is_option {
        true => folder.to_owned(),
        false => found.path(folder),
    };
    let folder = from_anywhere(folder);
    if folder == from_anywhere(data.join("lake")) {
        return Ok(None);
    }
    Ok(Some(folder.display().to_string()))
}

/// The path as it is found from any working directory.
fn from_anywhere(path: PathBuf) -> PathBuf {
    absolute(&path).unwrap_or(path)
}
