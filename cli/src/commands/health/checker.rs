//! Checks a platform on request and caches what is expensive to compute.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use coingecko_source::BACKFILLING;
use market::names::topic;
use survey::{Problem, Survey, Surveyor, Tables};

use super::models::ModelsHealth;
use super::report::HealthReport;
use crate::args::TargetArgs;
use crate::assets;
use crate::platform::{DataDir, DiskUse, PartsFile};

/// Computing the drift reads a day of the lake, and the result changes slowly.
const MODELS_AGE_MAX: Duration = Duration::from_secs(60);

pub(crate) struct Checker<'a> {
    target: &'a TargetArgs,
    surveyor: Option<Surveyor>,
    models: Option<(Instant, ModelsHealth)>,
}

impl<'a> Checker<'a> {
    pub(crate) fn new(target: &'a TargetArgs) -> Self {
        Self {
            target,
            surveyor: None,
            models: None,
        }
    }

    /// Checks everything. A platform that cannot be checked is a problem like any other, so that scripts need to know
    /// one form only.
    pub(crate) async fn check(&mut self) -> HealthReport {
        match self.try_check().await {
            Ok(report) => report,
            Err(error) => HealthReport {
                survey: Survey::failed(&error),
                ..HealthReport::default()
            },
        }
    }

    async fn try_check(&mut self) -> Result<HealthReport> {
        // Resolved each time: a restarted broker may have another address.
        let target = self.target.resolve()?;
        let connected = target.cluster.connect().await;
        let client = match &target.data {
            Some(data) => connected.with_context(|| {
                let data = data.display();
                format!(
                    "nothing answers on {data}: start it with `coinlake up --data {data}`, or `coinlake demo --data {data}`"
                )
            })?,
            None => connected?,
        };
        let surveyor = match &mut self.surveyor {
            Some(surveyor) => surveyor,
            None => self.surveyor.insert(Surveyor::new(
                assets::blueprint(target.market.is_live(), target.last_start.commit_interval)?,
                Tables::new(target.lake),
            )),
        };
        let mut survey = surveyor.survey(&client).await?;
        let models = match &self.models {
            Some((at, models)) if at.elapsed() < MODELS_AGE_MAX => models.clone(),
            _ => {
                let mut models = ModelsHealth::check(self.target.data(), &target.lake_url).await;
                if let Some(data) = &target.data
                    && let Some(disk) = DiskUse::measure(&DataDir::at(data), &target.lake_url)
                {
                    let budget = target.last_start.disk_budget;
                    models.warnings.extend(disk.warnings(budget).into_values());
                }
                self.models = Some((Instant::now(), models.clone()));
                models
            }
        };
        survey
            .problems
            .extend(models.problems.into_iter().map(|message| Problem {
                about: "models".to_owned(),
                message,
            }));
        let mut notes = Vec::new();
        if let Some(data) = &target.data {
            let parts = PartsFile::read(data, DataDir::at(data).is_running()?)?;
            let problems = parts.iter().filter_map(|part| part.problem.as_deref());
            if problems.into_iter().any(|it| it.starts_with(BACKFILLING)) {
                // What is live comes after it.
                survey.problems.retain(|it| it.about != topic::CLEAN);
            }
            for part in parts {
                let about = part.name.clone();
                survey.problems.extend(part.problem.map(|problem| Problem {
                    message: format!("{about}: {problem}"),
                    about,
                }));
                let said = part.notes.iter();
                notes.extend(said.map(|note| format!("{}: {note}", part.name)));
            }
        }
        survey.ok = survey.problems.is_empty();
        Ok(HealthReport {
            survey,
            warnings: models.warnings,
            notes,
            mlflow: models.mlflow,
            drift: models.drift,
        })
    }
}
