//! Registers the models of a run and decides on their promotion.

use anyhow::{Context, Error, Result};
use trainer::data::Label;
use trainer::model::Model;
use trainer::production::current;
use trainer::promotion::judge;
use trainer::tracking::{Alias, OpenRun, Tracking};
use trainer::{Trained, TrainedModel};

use super::report::ModelReport;

/// Registers a model of the run as a new version. `staging` moves to it, and `production` too if it beats the version there by `margin`.
///
/// # Errors
/// When the run lacks what the comparison needs, before anything is registered, or when the tracking fails.
pub(crate) async fn register(
    tracking: &dyn Tracking,
    run: &OpenRun,
    trained: &Trained,
    given: &TrainedModel,
    margin: f64,
) -> Result<ModelReport> {
    let name = &given.name;
    let label: Label = name.parse().map_err(Error::msg)?;
    let new = Model::from_bytes(label, &given.bytes)?;
    let newest_day = &trained.newest_day;
    let (day, best_input) = newest_day
        .part(label)
        .zip(newest_day.best_input(label))
        .with_context(|| format!("the run has no newest day for {name}"))?;
    let current = current(tracking, label).await;
    let verdict = judge(day, best_input, &new, &current, margin);
    let (alias, outcome) = match verdict.promote {
        true => (Alias::Production, "promoted to production"),
        false => (Alias::Staging, "stays in staging"),
    };
    let version = tracking.register(run, name).await?;
    tracking
        .set_alias(name, Alias::Staging, version.version)
        .await?;
    // Before the promotion: once a version is in production, nothing may keep it from being served.
    tracking
        .note(&version, &format!("{outcome}: {}", verdict.reason))
        .await?;
    if verdict.promote {
        tracking.set_alias(name, alias, version.version).await?;
    }
    Ok(ModelReport {
        model: label,
        version: version.version,
        alias,
        reason: verdict.reason,
        metrics: given.metrics.clone(),
    })
}
