//! `coinlake health`: is everything there, and how far is each stage?

mod screen;

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Args;
use connector_runtime::process::shutdown;
use serde::Serialize;
use survey::{Problem, Survey, Surveyor};

use crate::assets;
use crate::target::Target;
use crate::train::{DriftHealth, MlflowHealth, ModelsHealth};

/// From one look to the next.
const WATCH_INTERVAL: Duration = Duration::from_secs(2);
/// The drift takes a day of the lake to compute, and changes slowly.
const MODELS_AGE_MAX: Duration = Duration::from_secs(60);

#[derive(Args)]
pub struct Options {
    #[command(flatten)]
    target: Target,
    /// Print one JSON object on stdout
    #[arg(long)]
    json: bool,
    /// Look again every two seconds, until Ctrl-C; with --json a line each time
    #[arg(long)]
    watch: bool,
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
    if options.watch {
        return watch(&options).await;
    }
    let health = Looker::new(&options).found().await;
    print(&options, &health, false)?;
    Ok(exit_code(&health))
}

/// Looks again and again; ends as the last look would have.
async fn watch(options: &Options) -> Result<ExitCode> {
    let interrupted = shutdown::on_signal();
    let in_place = io::stdout().is_terminal() && !options.json;
    let mut looker = Looker::new(options);
    let mut last = ExitCode::SUCCESS;
    loop {
        let health = tokio::select! {
            health = looker.found() => health,
            () = interrupted.cancelled() => return Ok(last),
        };
        print(options, &health, in_place)?;
        last = exit_code(&health);
        tokio::select! {
            () = tokio::time::sleep(WATCH_INTERVAL) => {}
            () = interrupted.cancelled() => return Ok(last),
        }
    }
}

fn exit_code(health: &Health) -> ExitCode {
    match health.survey.ok {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

/// Looks as often as asked, and remembers what is dear to find out.
struct Looker<'a> {
    target: &'a Target,
    /// It knows the files that it has seen.
    surveyor: Option<Surveyor>,
    models: Option<(Instant, ModelsHealth)>,
}

impl<'a> Looker<'a> {
    fn new(options: &'a Options) -> Self {
        Self {
            target: &options.target,
            surveyor: None,
            models: None,
        }
    }

    async fn found(&mut self) -> Health {
        match self.look().await {
            Ok(health) => health,
            // What cannot even be looked at is a finding too: scripts get it in the same form.
            Err(error) => Health {
                survey: Survey::failed(&error),
                ..Health::default()
            },
        }
    }

    async fn look(&mut self) -> Result<Health> {
        // Anew each time: a broker that was started again may be at another address.
        let platform = self.target.open()?;
        let client = platform.cluster.connect().await?;
        let surveyor = match &mut self.surveyor {
            Some(surveyor) => surveyor,
            None => self
                .surveyor
                .insert(Surveyor::new(assets::blueprint()?, platform.lake)),
        };
        let mut survey = surveyor.survey(&client).await?;
        let models = match &self.models {
            Some((at, models)) if at.elapsed() < MODELS_AGE_MAX => models.clone(),
            _ => {
                let models = ModelsHealth::look(self.target.data(), &platform.lake_url).await;
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
        survey.ok = survey.problems.is_empty();
        Ok(Health {
            survey,
            warnings: models.warnings,
            mlflow: models.mlflow,
            drift: models.drift,
        })
    }
}

fn print(options: &Options, health: &Health, in_place: bool) -> Result<()> {
    if options.json {
        let mut found = serde_json::to_value(health)?;
        // Scripts get the sentences alone.
        let sentences = health.survey.problems.iter();
        found["problems"] = sentences.map(|problem| problem.message.clone()).collect();
        println!("{found}");
        return Ok(());
    }
    let mut screen = screen::render(health);
    if in_place {
        // Over what is there, line by line: clearing the screen first would flicker.
        screen = format!("\x1b[H{}\x1b[J", screen.replace('\n', "\x1b[K\n"));
    }
    // Takes the colours out where stdout is no terminal, or NO_COLOR is set.
    let mut out = anstream::stdout();
    out.write_all(screen.as_bytes())?;
    out.flush()?;
    Ok(())
}
