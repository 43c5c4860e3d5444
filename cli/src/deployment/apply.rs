//! Takes the steps of a plan.

use anyhow::{Context, Result, bail};
use connector_runtime::cluster::Client;
use connector_runtime::topic::create_topic;
use fluvio::FluvioAdmin;
use fluvio::metadata::smartmodule::SmartModuleSpec;
use fluvio::metadata::tableformat::TableFormatSpec;
use fluvio::metadata::topic::TopicSpec;

use super::plan::{Change, Kind, Plan, Spec, Step};

/// Takes every step.
///
/// # Errors
/// When the cluster refuses a step. Topics are validated before the first change. Steps taken before any other refusal
/// are not undone; the next deployment resumes from there.
pub(crate) async fn apply(client: &Client, plan: Plan) -> Result<()> {
    let admin = &client.admin().await;
    for step in &plan.steps {
        if let Change::Create(Spec::Topic(spec)) = &step.change {
            let dry_run = admin.create(step.name.clone(), true, TopicSpec::clone(spec));
            dry_run.await.with_context(|| refused(step, "created"))?;
        }
    }
    for mut step in plan.steps {
        let (verb, result) = match std::mem::replace(&mut step.change, Change::None) {
            Change::None => continue,
            Change::Create(spec) => ("created", create(client, &step.name, spec).await),
            Change::Update(spec) => ("updated", update(client, &step.name, spec).await),
            Change::Delete => ("deleted", delete(admin, step.kind, &step.name).await),
        };
        result.with_context(|| refused(&step, verb))?;
    }
    Ok(())
}

fn refused(step: &Step, verb: &str) -> String {
    format!("{} {} cannot be {verb}", step.kind, step.name)
}

async fn create(client: &Client, name: &str, spec: Spec) -> Result<()> {
    let admin = client.admin().await;
    match spec {
        Spec::Topic(spec) => {
            create_topic(client, name, *spec).await?;
            Ok(())
        }
        Spec::SmartModule(spec) => admin.create(name.to_owned(), false, spec).await,
        Spec::TableFormat(spec) => admin.create(name.to_owned(), false, spec).await,
    }
}

async fn update(client: &Client, name: &str, spec: Spec) -> Result<()> {
    match &spec {
        Spec::Topic(_) => bail!("a topic is never replaced: its records would be lost"),
        // Created over the old one, in one step: a stream that opens meanwhile gets the old module or the new one.
        Spec::SmartModule(_) => {}
        // A cluster refuses to create a table format twice. Only terminals use them, so a short gap does no harm.
        Spec::TableFormat(_) => {
            let admin = client.admin().await;
            admin.delete::<TableFormatSpec>(name).await?;
        }
    }
    create(client, name, spec).await
}

async fn delete(admin: &FluvioAdmin, kind: Kind, name: &str) -> Result<()> {
    match kind {
        Kind::Topic => admin.delete::<TopicSpec>(name).await,
        Kind::SmartModule => admin.delete::<SmartModuleSpec>(name).await,
        Kind::TableFormat => admin.delete::<TableFormatSpec>(name).await,
    }
}
