//! `coinlake backfill`: fills the past of an empty platform, and ends.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, anyhow};
use broker::Broker;
use clap::Args;
use coingecko_source::LaterData;
use connector_runtime::process::monitor::{Monitor, MonitorArgs};
use connector_runtime::process::{log, shutdown};
use market::names::layer;

use crate::args::SmartModulesArgs;
use crate::assets;
use crate::platform::{
    Backbone, BackboneConfig, DataDir, LastStart, PartsFile, Platform, ProgressLine, first_failure,
    loopback, records_by_layer,
};
use crate::settings::{RunPlan, SettingsArgs};

const DAY: Duration = Duration::from_secs(24 * 3_600);
/// CoinGecko's free keys reach no further back.
const SINCE_MAX: Duration = DAY.saturating_mul(365);

#[derive(Args)]
pub(crate) struct BackfillArgs {
    /// How far back, such as 30d, at most 365d: in steps of five minutes for the last day, an hour for 90 days, a day beyond
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Duration,
    /// Coins by CoinGecko id, such as bitcoin,ethereum [default: those of `up`]
    #[arg(long, value_name = "ID,ID", value_delimiter = ',')]
    coins: Vec<String>,
    /// Settings file of `up` [default: coinlake.yaml, if there is one]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Directory for topics, lake and models, new or empty [default: coinlake-data]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Lake: a folder, s3://bucket/prefix, gs://... or az://... [default: lake in the data directory]
    #[arg(long, value_name = "URL")]
    lake: Option<String>,
    #[command(flatten)]
    smartmodules: SmartModulesArgs,
}

impl BackfillArgs {
    /// The options of `up` that these are.
    pub(crate) fn settings(&self) -> SettingsArgs {
        let (config, data) = (self.config.clone(), self.data.clone());
        SettingsArgs {
            config,
            data,
            lake: self.lake.clone(),
            ids: self.coins.clone(),
            ..SettingsArgs::default()
        }
    }

    /// The same command, for a data directory and a lake beside those that have data.
    fn elsewhere(&self, plan: &RunPlan) -> String {
        let second = |path: &str| format!("{}-past", path.trim_end_matches('/'));
        let mut command = vec!["coinlake backfill --since".to_owned(), days(self.since)];
        if !self.coins.is_empty() {
            command.extend(["--coins".to_owned(), quoted(&self.coins.join(","))]);
        }
        let data = second(&plan.data.display().to_string());
        command.extend(self.places(Some(&data), plan.lake.as_deref().map(second).as_deref()));
        command.join(" ")
    }

    /// The `up` that goes on from here.
    fn up(&self) -> String {
        let data = self.data.as_ref().map(|data| data.display().to_string());
        let mut command = vec!["coinlake up".to_owned()];
        if !self.coins.is_empty() {
            command.extend(["--ids".to_owned(), quoted(&self.coins.join(","))]);
        }
        command.extend(self.places(data.as_deref(), self.lake.as_deref()));
        command.join(" ")
    }

    fn places(&self, data: Option<&str>, lake: Option<&str>) -> Vec<String> {
        let config = self
            .config
            .as_ref()
            .map(|config| config.display().to_string());
        [
            ("--config", config.as_deref()),
            ("--data", data),
            ("--lake", lake),
        ]
        .into_iter()
        .filter_map(|(option, value)| Some(format!("{option} {}", quoted(value?))))
        .collect()
    }
}

/// A duration as a word of a shell's command line: without more ado, 90 days would be `2months 29days 2h 52m 48s`.
fn days(since: Duration) -> String {
    match since.as_nanos() % DAY.as_nanos() {
        0 => format!("{}d", since.as_secs() / DAY.as_secs()),
        _ => quoted(&humantime::format_duration(since).to_string()),
    }
}

/// A word of a shell's command line.
fn quoted(word: &str) -> String {
    let is_plain = |char: char| char.is_alphanumeric() || "-_./:,=".contains(char);
    match word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

/// Runs until the past is in the lake.
///
/// # Errors
/// What is wrong with the settings, why nothing can be filled in, or why a part stopped.
pub(crate) async fn run(args: BackfillArgs) -> Result<()> {
    let interrupted = shutdown::on_signal();
    let plan = RunPlan::read(&args.settings())?;
    plan.check_data().await?;
    let refused = |why: String| {
        anyhow!(
            "{why}. To have the past beside it, fill a second data directory: {}",
            args.elsewhere(&plan)
        )
    };
    let root = plan.data.display();
    match DataDir::find(&plan.data)? {
        Some(data) if data.is_running()? => {
            return Err(refused(format!(
                "data directory {root}: a coinlake that runs on it has later data"
            )));
        }
        None if plan.has_rows().await? => {
            return Err(refused(format!(
                "the lake of data directory {root} has data of another"
            )));
        }
        _ => {}
    }
    let smartmodules = args.smartmodules.read()?;
    let monitor = Arc::new(Monitor::start(&MonitorArgs::default(), "backfill").await?);
    // Any port: an `up` on another data directory may run beside it.
    let listener = Broker::bind(loopback(0)).await?;
    let data = DataDir::open(&plan.data, &plan.market())?;
    let backbone = Backbone::start(BackboneConfig {
        data: data.clone(),
        listener,
        advertise: None,
        smartmodules,
        retention: plan.retention,
        last_start: LastStart {
            broker: None,
            lake: plan.lake.clone(),
            secrets: plan.secrets.clone(),
            commit_interval: plan.commit_interval,
            disk_budget: plan.disk_budget,
        },
    })
    .await?;
    let lake = backbone.lake_url();
    let mut source = assets::source()?;
    source.settings = plan.source.clone();
    source
        .settings
        .calls_file
        .get_or_insert_with(|| data.calls_file());
    let stages = plan.stages.clone();
    let stop = interrupted.clone();
    let mut platform = Platform::backfill(backbone, source, args.since, stages, stop);
    platform.observe(&monitor);
    let parts_file = PartsFile::start(monitor, data.root());
    let progress = ProgressLine::start(&platform, None);
    let filled = match platform.filled().await {
        Ok(()) => tokio::select! {
            drained = platform.drained(0) => drained,
            () = interrupted.cancelled() => Err(anyhow!(
                "stopped before all of it was in the lake; this brings the rest: {}",
                args.up()
            )),
        },
        Err(error) => Err(error),
    };
    progress.finish();
    let stored = stored(&platform).await;
    drop(parts_file);
    let (backbone, failures) = platform.stop().await;
    backbone.stop().await;
    let not_filled = filled
        .err()
        .map(|error| match error.downcast::<LaterData>() {
            Ok(later) => refused(format!("data directory {root}: {later}")),
            Err(error) => error.context("the past is not filled in"),
        });
    first_failure(not_filled.into_iter().chain(failures))?;
    log::say(&format!(
        "in {lake}: {}. Go on live with: {}",
        stored?,
        args.up()
    ));
    Ok(())
}

/// How much each layer has.
async fn stored(platform: &Platform) -> Result<String> {
    let client = platform.connect().await?;
    let records = records_by_layer(&client).await?;
    let layers = layer::ALL.map(|layer| format!("{} {layer}", records[layer]));
    Ok(layers.join(", "))
}

fn since(text: &str) -> Result<Duration, String> {
    let since = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    match since {
        Duration::ZERO => Err("say a duration such as 30d".to_owned()),
        since if since > SINCE_MAX => Err("CoinGecko's history reaches 365d back".to_owned()),
        since => Ok(since),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: BackfillArgs,
    }

    #[test]
    fn the_up_that_goes_on_has_the_same_coins_and_places() {
        for (options, expected) in [
            ("", "coinlake up"),
            (
                " --coins bitcoin,ethereum --data d",
                "coinlake up --ids bitcoin,ethereum --data d",
            ),
        ] {
            let words = format!("backfill --since 1d{options}");
            let line = Line::parse_from(words.split(' '));
            assert_eq!(line.args.up(), expected);
        }
    }

    #[test]
    fn the_command_for_a_second_directory_is_one_for_a_shell() {
        for (since, expected) in [
            ("90d", "--since 90d --data d-past"),
            ("365d", "--since 365d --data d-past"),
            ("1d 12h", "--since '1day 12h' --data d-past"),
        ] {
            let line = Line::parse_from(["backfill", "--data", "d", "--since", since]);
            let plan = RunPlan::read(&line.args.settings()).unwrap();
            let expected = format!("coinlake backfill {expected}");
            assert_eq!(line.args.elsewhere(&plan), expected);
        }
    }
}
