//! Opens a partition's pipeline where it resumes.

use std::sync::Arc;
use std::time::Instant;

use connector_runtime::SmartModuleInvocation;
use connector_runtime::cluster::Client;
use connector_runtime::reader::{ModuleReader, PlainReader};

use super::assembly::Assembly;
use super::outputs::Outputs;
use super::pipeline::Pipeline;
use super::progress::Progress;
use crate::context::StageContext;
use crate::error::StageError;
use crate::input::{Input, LOOK_INTERVAL, ModuleWatch, stamps};
use crate::output::{Acknowledged, OutputReport, TopicOutput};
use crate::recovery::{ReadBack, ResumePlan};
use crate::status::TroubleSpot;

/// Opens the output topics and the input stream.
pub(super) async fn open(
    stage: Arc<StageContext>,
    client: Arc<Client>,
    partition: u32,
    plan: &ResumePlan,
) -> Result<Pipeline, StageError> {
    let modules = stamps(&client, &stage.plan.transforms).await?;
    let (outputs, read_backs) = open_outputs(&stage, &client, partition, plan).await?;
    let input = open_input(&stage, &client, partition, plan.open_at).await?;
    let tables = stage.tables().await?;
    let look_interval = stage.failpoints.module_look_interval;
    let look_interval = look_interval.unwrap_or(LOOK_INTERVAL);
    Ok(Pipeline {
        assembly: Assembly::new(
            &stage.plan,
            &stage.topic,
            partition,
            &tables,
            plan,
            read_backs,
            &stage.status,
        ),
        modules: ModuleWatch::new(modules, look_interval, Instant::now()),
        progress: Progress::open(&stage.status, partition, plan),
        stage,
        client,
        partition,
        input,
        outputs,
        commit: None,
        report: None,
    })
}

async fn open_outputs(
    stage: &StageContext,
    client: &Client,
    partition: u32,
    plan: &ResumePlan,
) -> Result<(Outputs, Vec<Option<ReadBack>>), StageError> {
    let mut outputs = Outputs::default();
    let mut read_backs = Vec::new();
    for ((destination, name), at) in stage.plan.topics().zip(&plan.topics) {
        let from = Acknowledged {
            source_offset: at.held_up_to,
            end: at.end,
        };
        let report = OutputReport {
            status: stage.status.destination(destination.label()),
            records: stage.meters.records(name),
            trouble: TroubleSpot::new(&stage.status, format!("topic {name}/{partition}")),
        };
        outputs.add(
            TopicOutput::start(stage.cluster.clone(), name, partition, from, report),
            *at,
        );
        read_backs.push(match at.read_back {
            Some(read_back) if destination.layer.is_some() => {
                Some(ReadBack::open(client, name, partition, read_back, plan.committed).await?)
            }
            _ => None,
        });
    }
    Ok((outputs, read_backs))
}

async fn open_input(
    stage: &StageContext,
    client: &Client,
    partition: u32,
    open_at: i64,
) -> Result<Input, StageError> {
    let transforms = stage.plan.transforms.iter();
    let invocations: Vec<SmartModuleInvocation> =
        transforms.map(|transform| transform.invocation()).collect();
    let topic = &stage.topic;
    Ok(match invocations.is_empty() {
        true => Input::Plain(PlainReader::open(client, topic, partition, open_at).await?),
        false => Input::Modules(
            ModuleReader::open(client, topic, partition, open_at, invocations).await?,
        ),
    })
}
