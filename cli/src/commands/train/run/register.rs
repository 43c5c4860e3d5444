//! Registers the models of a run and decides on their promotion.

use anyhow::{Context, Result};
use trainer::Trained;
use trainer::data::Label;
use trainer::model::Model;
use trainer::production::{self, InProduction};
use trainer::promotion::{Current, judge};
use trainer::tracking::{Alias, OpenRun, Tracking, TrackingError};

use super::report::ModelReport;

/// Registers the model `name` as a new version. It becomes staging, and production if it beats the current version by
/// `margin`.
pub(crate) async fn register(
    tracking: &dyn Tracking,
    run: &OpenRun,
    trained: &Trained,
    name: &str,
    margin: f64,
) -> Result<ModelReport> {
    let given = trained.run.models.iter().find(|model| model.name == name);
    let given = given.with_context(|| format!("the run has no model {name}"))?;
    let label = Label::ALL.into_iter().find(|label| label.as_str() == name);
    let label = label.with_context(|| format!("{name} is not a label"))?;
    let new = Model::from_bytes(label, &given.bytes)?;
    let current = match production::in_production(tracking, label).await {
        Ok(Some(InProduction { version, model })) => Current::Model {
            version: version.version,
            model: Box::new(model),
        },
        Ok(None) => Current::Nothing,
        Err(TrackingError::Outdated { version, .. }) => Current::Outdated { version },
        Err(error) => Current::Unknown {
            reason: error.to_string(),
        },
    };
    let version = tracking.register(run, name).await?;
    tracking
        .set_alias(name, Alias::Staging, version.version)
        .await?;
    let newest_day = &trained.newest_day;
    let (day, best_input) = newest_day
        .part(label)
        .zip(newest_day.best_input(label))
        .with_context(|| format!("the run has no newest day for {name}"))?;
    let verdict = judge(day, best_input, &new, &current, margin);
    let (alias, outcome) = match verdict.promote {
        true => (Alias::Production, "promoted to production"),
        false => (Alias::Staging, "stays in staging"),
    };
    if alias == Alias::Production {
        tracking.set_alias(name, alias, version.version).await?;
    }
    tracking
        .note(&version, &format!("{outcome}: {}", verdict.reason))
        .await?;
    Ok(ModelReport {
        model: name.to_owned(),
        version: version.version,
        alias,
        reason: verdict.reason,
        metrics: given.metrics.clone(),
    })
}
