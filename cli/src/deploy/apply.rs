//! Carries a plan out.

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
/// When the cluster refuses one. A topic is refused before the first step; what was done before any other refusal
/// stays, and deploying again goes on from there.
pub async fn apply(client: &Client, plan: Plan) -> Result<()> {
    let admin = &client.admin().await;
    for step in &plan.steps {
        if let Change::Create(Spec::Topic(spec)) = &step.change {
            let rehearsed = admin.create(step.name.clone(), true, TopicSpec::clone(spec));
            rehearsed.await.with_context(|| refused(step, "created"))?;
        }
    }
    for mut step in plan.steps {
        let (what, done) = match std::mem::replace(&mut step.change, Change::None) {
            Change::None => continue,
            Change::Create(spec) => ("created", create(client, &step.name, spec).await),
            Change::Update(spec) => ("replaced", replace(client, &step.name, spec).await),
            Change::Delete => ("deleted", delete(admin, step.kind, &step.name).await),
        };
        done.with_context(|| refused(&step, what))?;
    }
    Ok(())
}

fn refused(step: &Step, what: &str) -> String {
    format!("{} {} cannot be {what}", step.kind, step.name)
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

async fn replace(client: &Client, name: &str, spec: Spec) -> Result<()> {
    match &spec {
        Spec::Topic(_) => bail!("a topic is never replaced: its records would go"),
        // In one step: stages that open a stream meanwhile find the old one or the new one.
        Spec::SmartModule(_) => {}
        // Nothing but people's terminals depends on a table format, and a cluster refuses to create one twice.
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
