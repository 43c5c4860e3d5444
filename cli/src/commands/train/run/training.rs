//! One training, from rows of the lake to a run with registered models.

use std::collections::BTreeMap;
use std::error::Error;
use std::time::Instant;

use anyhow::Result;
use connector_runtime::process::log;
use indicatif::ProgressBar;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;
use trainer::data::{self, Label, open_lake};
use trainer::production::ModelDrift;
use trainer::tracking::{Alias, Beginning, OpenRun, RunStatus, Tracking, TrackingError};
use trainer::{TrainSettings, Trained};

use super::args::RunArgs;
use super::drift;
use super::register::register;
use super::report::Report;
use crate::commands::train::serve::{catch_up, check_broker, serve};
use crate::models::{local_tracking, open_tracking};

/// Trains, registers the models, promotes those that are better, and prints the result.
///
/// # Errors
/// When there is nothing to train on, or the run cannot be stored. Being interrupted is no error.
pub(crate) async fn train_once(
    args: &RunArgs,
    settings: &TrainSettings,
    interrupted: &CancellationToken,
) -> Result<()> {
    let tracking = open_tracking(&args.runs.data)?;
    let tracking = tracking.as_ref();
    // Before the run starts: a missing lake must not leave a failed run behind, nor a missing SmartModule a version in production that
    // nothing serves.
    let lake = open_lake(&settings.lake)?;
    check_broker(&args.runs.data, &args.broker)?;
    let mut settings = settings.clone();
    if let Some(span) = args.since {
        settings.range = data::last(&lake, span).await?;
    }
    let settings = &settings;
    let begun = Instant::now();
    let started = Timestamp::now();
    let beginning = Beginning {
        experiment: args.runs.experiment.clone(),
        name: format!("train-{}", started.strftime("%Y%m%d-%H%M%S")),
        started_ms: started.as_millisecond(),
        tags: tags(),
    };
    let run = tracking.start(&beginning).await?;
    let progress = ProgressBar::new(0);
    let training = async {
        // Before any promotion: the drift of the models that have served until now.
        let drift = drift::measure(tracking, &settings.lake).await;
        (drift, trainer::train(settings, &progress).await)
    };
    let (drift, trained) = tokio::select! {
        trained = training => trained,
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
            let ended_ms = Timestamp::now().as_millisecond();
            mark_failed(tracking, &run, ended_ms, &error).await;
            return Err(error.into());
        }
    };
    let measured = drift.iter().flat_map(ModelDrift::metrics);
    trained.run.metrics.extend(measured);
    let ended_ms = Timestamp::now().as_millisecond();
    if let Err(error) = tracking.finish(&run, ended_ms, &trained.run).await {
        mark_failed(tracking, &run, ended_ms, &error).await;
        return Err(store_locally(args, &beginning, ended_ms, &trained, error).await);
    }
    let mut report = Report {
        place: tracking.place(),
        run: run.id.clone(),
        seconds: begun.elapsed().as_secs_f64(),
        models: Vec::new(),
        left_out: trained.left_out.clone(),
        serving: None,
    };
    let mut failed = None;
    for model in &trained.run.models {
        match register(tracking, &run, &trained, model, args.margin).await {
            Ok(registered) => report.models.push(registered),
            Err(error) => {
                failed = Some(error);
                break;
            }
        }
    }
    // What is in production serves, also when a later model cannot be registered.
    let promoted = report.models.iter();
    let promoted = promoted.filter(|model| model.alias == Alias::Production);
    let promoted: Vec<Label> = promoted.map(|model| model.model).collect();
    let (data, broker) = (&args.runs.data, &args.broker);
    let serving = match promoted.is_empty() {
        true => catch_up(data, broker, tracking).await,
        false => serve(data, broker, tracking, &promoted).await.map(Some),
    };
    match serving {
        Ok(serving) => report.serving = serving,
        Err(error) => failed = Some(failed.unwrap_or(error)),
    }
    if let Some(error) = failed {
        return Err(error);
    }
    if args.json {
        outln!("{}", serde_json::to_string(&report)?);
    } else {
        report.print();
    }
    Ok(())
}

/// Marks a run as failed for this reason. Whoever asked needs to know that, not why the run could not be marked.
async fn mark_failed(
    tracking: &dyn Tracking,
    run: &OpenRun,
    ended_ms: i64,
    why: &(dyn Error + 'static),
) {
    let causes: Vec<String> = anyhow::Chain::new(why).map(ToString::to_string).collect();
    let why = causes.join(": ");
    let marked = tracking.abandon(run, ended_ms, RunStatus::Failed, &why);
    if let Err(error) = marked.await {
        tracing::warn!("run {} cannot be marked as failed: {error}", run.id);
    }
}

/// Stores a finished training in the data directory when the MLflow server has become unreachable; returns the error to
/// report.
async fn store_locally(
    args: &RunArgs,
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
    let local = local_tracking(&args.runs.data);
    let stored = async {
        let run = local.start(beginning).await?;
        local.finish(&run, ended_ms, &trained.run).await?;
        Ok::<_, TrackingError>(run.id)
    };
    match stored.await {
        Ok(id) => anyhow::Error::from(error).context(format!(
            "the run is stored in {} for now: upload it later with `coinlake train publish {id} --data {}`",
            local.place(),
            args.runs.data.display()
        )),
        Err(local_error) => anyhow::Error::from(error)
            .context(format!("the run cannot be stored locally either ({local_error})")),
    }
}

/// User and source of the run, in the tags that MLflow shows.
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
