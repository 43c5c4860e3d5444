//! `coinlake health`: is everything there, and how far is each stage?

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use console::survey::{Problem, Survey, Surveyor};
use serde::Serialize;

use crate::assets;
use crate::target::Target;
use crate::train::{DriftHealth, MlflowHealth, ModelsHealth};

#[derive(Args)]
pub struct Options {
    #[command(flatten)]
    target: Target,
    /// Print one JSON object on stdout
    #[arg(long)]
    json: bool,
}

/// What was found; its JSON form is for scripts.
#[derive(Debug, Default, Serialize)]
struct Health {
    #[serde(flatten)]
    survey: Survey,
    /// What deserves a look, and is not wrong.
    warnings: Vec<String>,
    /// Where runs and versions are kept, if it is a server.
    mlflow: Option<MlflowHealth>,
    drift: Vec<DriftHealth>,
}

/// Looks at everything and prints what was found; failure when something is wrong.
pub async fn run(options: Options) -> Result<ExitCode> {
    let health = match look(&options).await {
        Ok(health) => health,
        // What cannot even be looked at is a finding too: scripts get it in the same form.
        Err(error) => Health {
            survey: Survey::failed(&error),
            ..Health::default()
        },
    };
    if options.json {
        println!("{}", serde_json::to_string(&health)?);
    } else {
        print(&health);
    }
    Ok(if health.survey.ok {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn look(options: &Options) -> Result<Health> {
    let platform = options.target.open()?;
    let client = platform.cluster.connect().await?;
    let mut survey = Surveyor::new(assets::blueprint()?, platform.lake)
        .look(&client)
        .await?;
    let models = ModelsHealth::look(options.target.data(), &platform.lake_url).await;
    survey
        .problems
        .extend(models.problems.into_iter().map(|message| Problem {
            about: "models".to_owned(),
            message,
        }));
    survey.ok = survey.problems.is_empty();
    Ok(Health {
        survey,
        warnings: models.warnings,
        mlflow: models.mlflow,
        drift: models.drift,
    })
}

fn print(health: &Health) {
    let survey = &health.survey;
    for topic in &survey.topics {
        println!(
            "topic       {:<18} {:>10} records",
            topic.name, topic.records
        );
    }
    for module in &survey.smartmodules {
        println!(
            "smartmodule {:<18} {}",
            module.name,
            if module.present { "present" } else { "missing" }
        );
    }
    for model in &survey.models {
        println!("model       {model:<18} serves");
    }
    for stage in &survey.stages {
        let commit = stage
            .seconds_since_commit
            .map_or_else(|| "never".to_owned(), |s| format!("{s} s ago"));
        println!(
            "stage       {:<18} lag {}, last commit {commit}",
            format!("{}/{}", stage.name, stage.partition),
            stage.lag
        );
    }
    for layer in &survey.lake {
        println!(
            "lake        {:<18} {:>10} rows, {} files, {} bytes",
            layer.name, layer.rows, layer.files, layer.bytes
        );
    }
    if let Some(mlflow) = &health.mlflow {
        println!("{mlflow}");
    }
    for drift in &health.drift {
        println!("{drift}");
    }
    for warning in &health.warnings {
        println!("warning     {warning}");
    }
    for problem in &survey.problems {
        println!("problem     {}", problem.message);
    }
    println!("{}", if survey.ok { "healthy" } else { "not healthy" });
}
