//! `coinlake train run`: from the lake to versions, once or again and again.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Args;
use connector_runtime::process::monitor::{Monitor, MonitorArgs};
use connector_runtime::process::{log, shutdown};
use indicatif::ProgressBar;
use jiff::Timestamp;
use serde::Serialize;
use tokio_util::sync::CancellationToken;
use trainer::data::{self, Label, TimeRange, open_lake};
use trainer::model::Model;
use trainer::production::{self, InProduction};
use trainer::promotion::{self, Current, judge};
use trainer::tracking::{
    Alias, Beginning, LocalTracking, OpenRun, RunStatus, Tracking, TrackingError,
};
use trainer::{TrainSettings, Trained};

use super::drift;
use super::promote::{self, BrokerOptions};
use super::status::TrainStatus;
use super::table::{number, table};
use super::{RunsOptions, models_folder, open_tracking};

#[derive(Args)]
pub struct Options {
    #[command(flatten)]
    runs: RunsOptions,
    /// Learn from another lake than the data directory's: a folder or an object store URL
    #[arg(long, value_name = "URL")]
    lake: Option<String>,
    /// Only rows from this date or time (UTC) on
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Only rows before this date or time (UTC)
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// Only so much time before the lake's newest row, such as 14d
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, conflicts_with_all = ["from", "to"])]
    since: Option<Duration>,
    /// Decides every draw: the same rows and seed give the same models
    #[arg(long, value_name = "N", default_value = "1")]
    seed: u64,
    /// Threads to use [default: one for each core]
    #[arg(long, value_name = "N")]
    threads: Option<NonZero<usize>>,
    /// A version goes to production by itself when its AUC-ROC of the newest day is greater by so much
    #[arg(long, value_name = "DIFFERENCE", env = "COINLAKE_PROMOTION_MARGIN", default_value_t = promotion::MARGIN)]
    margin: f64,
    /// Do it again every so often, such as 1h, until interrupted
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    every: Option<Duration>,
    /// Print one JSON object a run on stdout
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    broker: BrokerOptions,
    #[command(flatten)]
    monitor: MonitorArgs,
}

/// What came of one training.
#[derive(Serialize)]
struct Report {
    place: String,
    run: String,
    seconds: f64,
    models: Vec<ModelReport>,
    /// For each label that could not be trained a sentence why.
    left_out: Vec<String>,
    /// What a broker serves now, when a version went to production.
    #[serde(skip_serializing_if = "Option::is_none")]
    serving: Option<String>,
}

#[derive(Serialize)]
struct ModelReport {
    model: String,
    version: u32,
    alias: Alias,
    /// Why it is there.
    reason: String,
    metrics: BTreeMap<String, f64>,
}

pub async fn run(options: Options) -> Result<()> {
    let interrupted = shutdown::on_signal();
    let settings = options.settings()?;
    let Some(every) = options.every else {
        return once(&options, &settings, &interrupted).await;
    };
    let monitor = Monitor::start(&options.monitor, "trainer").await?;
    let status = Arc::new(TrainStatus::default());
    status.started();
    monitor.observe("trainer", status.clone());
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = interrupted.cancelled() => return Ok(()),
            _ = ticks.tick() => {}
        }
        // A lake that is still too small, or a server that is away: the next time may do.
        let begun = Instant::now();
        let trained = once(&options, &settings, &interrupted).await;
        if interrupted.is_cancelled() {
            return trained;
        }
        status.trained(&trained, begun.elapsed());
        if let Err(error) = trained {
            log::complain("coinlake", &error);
        }
    }
}

/// Trains once and says what came of it.
async fn once(
    options: &Options,
    settings: &TrainSettings,
    interrupted: &CancellationToken,
) -> Result<()> {
    let tracking = open_tracking(&options.runs.data)?;
    let tracking = tracking.as_ref();
    // A lake that is not there makes no run that failed.
    let lake = open_lake(&settings.lake)?;
    let mut settings = settings.clone();
    if let Some(span) = options.since {
        settings.range = data::last(&lake, span).await?;
    }
    let settings = &settings;
    let begun = Instant::now();
    let started = Timestamp::now();
    let beginning = Beginning {
        experiment: options.runs.experiment.clone(),
        name: format!("train-{}", started.strftime("%Y%m%d-%H%M%S")),
        started_ms: started.as_millisecond(),
        tags: tags(),
    };
    let run = tracking.start(&beginning).await?;
    // Before anything is promoted: how the models that served until now fit the last day.
    let drift = drift::look(tracking, &settings.lake).await;
    let progress = ProgressBar::new(0);
    let trained = tokio::select! {
        trained = trainer::train(settings, &progress) => trained,
        () = interrupted.cancelled() => {
            progress.finish_and_clear();
            let ended = Timestamp::now().as_millisecond();
            tracking.abandon(&run, ended, RunStatus::Killed, "interrupted").await?;
            log::say(&format!("interrupted; run {} is marked as killed", run.id));
            return Ok(());
        }
    };
    let mut trained = match trained {
        Ok(trained) => trained,
        Err(error) => {
            progress.finish_and_clear();
            let ended = Timestamp::now().as_millisecond();
            // The reason to fail is the one to be told.
            if let Err(unmarked) = tracking
                .abandon(&run, ended, RunStatus::Failed, &error.to_string())
                .await
            {
                tracing::warn!("run {} cannot be marked as failed: {unmarked}", run.id);
            }
            return Err(error.into());
        }
    };
    trained.run.metrics.extend(drift::metrics(&drift));
    let ended_ms = Timestamp::now().as_millisecond();
    if let Err(error) = tracking.finish(&run, ended_ms, &trained.run).await {
        return Err(kept_here(options, &beginning, ended_ms, &trained, error).await);
    }
    let mut report = Report {
        place: tracking.place(),
        run: run.id.clone(),
        seconds: begun.elapsed().as_secs_f64(),
        models: Vec::new(),
        left_out: trained.left_out.clone(),
        serving: None,
    };
    for model in &trained.run.models {
        report
            .models
            .push(register(tracking, &run, &trained, &model.name, options.margin).await?);
    }
    if report
        .models
        .iter()
        .any(|model| model.alias == Alias::Production)
    {
        report.serving = Some(promote::serve(&options.runs.data, &options.broker).await?);
    }
    if options.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        report.print();
    }
    Ok(())
}

/// Registers a model; the new version goes to staging, and to production if it is better.
async fn register(
    tracking: &dyn Tracking,
    run: &OpenRun,
    trained: &Trained,
    name: &str,
    margin: f64,
) -> Result<ModelReport> {
    let given = trained.run.models.iter().find(|model| model.name == name);
    let given = given.context("the run gave no such model")?;
    let label = Label::ALL.into_iter().find(|label| label.as_str() == name);
    let label = label.with_context(|| format!("{name} is no label"))?;
    let new = Model::from_bytes(label, &given.bytes)?;
    let current = match production::in_production(tracking, label).await {
        Ok(Some(InProduction { version, model })) => Current::Model {
            version: version.version,
            model: Box::new(model),
        },
        Ok(None) => Current::Nothing,
        Err(error) => Current::Unknown {
            reason: error.to_string(),
        },
    };
    let version = tracking.register(run, name).await?;
    tracking
        .set_alias(name, Alias::Staging, version.version)
        .await?;
    let day = trained
        .newest_day
        .part(label)
        .context("the run kept no newest day")?;
    let verdict = judge(day, &new, &current, margin);
    let alias = if verdict.promote {
        tracking
            .set_alias(name, Alias::Production, version.version)
            .await?;
        Alias::Production
    } else {
        Alias::Staging
    };
    let stands = match alias {
        Alias::Production => "went to production",
        Alias::Staging => "stays in staging",
    };
    tracking
        .note(&version, &format!("{stands}: {}", verdict.reason))
        .await?;
    Ok(ModelReport {
        model: name.to_owned(),
        version: version.version,
        alias,
        reason: verdict.reason,
        metrics: given.metrics.clone(),
    })
}

/// A server that went away takes no training with it: the run is kept in the data directory.
async fn kept_here(
    options: &Options,
    beginning: &Beginning,
    ended_ms: i64,
    trained: &Trained,
    error: TrackingError,
) -> anyhow::Error {
    if matches!(
        error,
        TrackingError::NoSpace { .. } | TrackingError::Disk { .. }
    ) {
        return error.into();
    }
    let local = LocalTracking::new(&models_folder(&options.runs.data));
    let kept = async {
        let run = local.start(beginning).await?;
        local.finish(&run, ended_ms, &trained.run).await?;
        Ok::<_, TrackingError>(run.id)
    };
    match kept.await {
        Ok(id) => anyhow::Error::from(error).context(format!(
            "the run is kept in {} for now: `coinlake train publish {id} --data {}` uploads it later",
            local.place(),
            options.runs.data.display()
        )),
        Err(disk) => anyhow::Error::from(error).context(format!("and the run cannot be kept here: {disk}")),
    }
}

/// Who ran it, and with what, by the names that MLflow shows them under.
fn tags() -> BTreeMap<String, String> {
    let mut tags = BTreeMap::from([
        (
            "mlflow.source.name".to_owned(),
            "coinlake train run".to_owned(),
        ),
        ("mlflow.source.type".to_owned(), "LOCAL".to_owned()),
    ]);
    if let Some(user) = std::env::var("USER")
        .ok()
        .or_else(|| std::env::var("LOGNAME").ok())
    {
        tags.insert("mlflow.user".to_owned(), user);
    }
    tags
}

impl Options {
    fn settings(&self) -> Result<TrainSettings> {
        let lake = match &self.lake {
            Some(lake) => lake.clone(),
            None => self.runs.data.join("lake").display().to_string(),
        };
        let mut settings = TrainSettings::of_lake(lake);
        settings.range = TimeRange::parse(self.from.as_deref(), self.to.as_deref())?;
        settings.forest.seed = self.seed;
        settings.forest.threads = self.threads;
        Ok(settings)
    }
}

impl Report {
    fn print(&self) {
        println!("run {} in {}, {:.1} s", self.run, self.place, self.seconds);
        let columns = [
            "auc_roc",
            "rule_auc_roc",
            "auc_pr",
            "brier",
            "base_rate_brier",
        ];
        let mut header = vec!["version", "in"];
        header.extend(columns);
        let mut rows = table(&header);
        for model in &self.models {
            let mut cells = vec![
                format!("{}/{}", model.model, model.version).into(),
                model.alias.into(),
            ];
            cells.extend(columns.map(|column| number(model.metrics.get(column).copied())));
            rows.add_row(cells);
        }
        println!("{rows}");
        for model in &self.models {
            println!(
                "{}/{} in {}: {}",
                model.model, model.version, model.alias, model.reason
            );
        }
        for problem in &self.left_out {
            println!("left out: {problem}");
        }
        if let Some(serving) = &self.serving {
            println!("{serving}");
        }
    }
}
