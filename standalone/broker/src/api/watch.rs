//! Watches: all objects of a kind at once, then every change as it happens.

use std::sync::Arc;

use fluvio_controlplane_metadata::core::Spec;
use fluvio_controlplane_metadata::message::Message;
use fluvio_protocol::{Decoder, Encoder};
use fluvio_sc_schema::AdminSpec;
use fluvio_sc_schema::objects::{Metadata, MetadataUpdate, WatchRequest, WatchResponse};
use fluvio_sc_schema::partition::PartitionSpec;
use fluvio_sc_schema::smartmodule::SmartModuleSpec;
use fluvio_sc_schema::spu::SpuSpec;
use fluvio_sc_schema::tableformat::TableFormatSpec;
use fluvio_sc_schema::topic::TopicSpec;

use crate::connection::wire::{Encoded, Typed};
use crate::connection::{Connection, RawRequest, RequestError};
use crate::metadata::{Registry, Snapshot};
use crate::shared::Shared;

pub(super) fn watch(
    connection: &Arc<Connection>,
    mut request: RawRequest,
) -> Result<(), RequestError> {
    let version = request.header.api_version();
    let object = request.typed()?;
    match object.label.as_str() {
        TopicSpec::LABEL => follow(connection, request, |broker| &broker.topics.objects, false),
        PartitionSpec::LABEL => follow(
            connection,
            request,
            |broker| &broker.topics.partition_objects,
            false,
        ),
        SmartModuleSpec::LABEL => {
            let summary = object
                .decode::<WatchRequest<SmartModuleSpec>>(version)?
                .summary;
            follow(connection, request, |broker| &broker.smart_modules, summary);
        }
        TableFormatSpec::LABEL => {
            follow(connection, request, |broker| &broker.table_formats, false)
        }
        SpuSpec::LABEL => {
            let spus = vec![connection.spu()];
            let frame = request.response(&update(
                MetadataUpdate::<SpuSpec>::with_all(0, spus),
                version,
            )?)?;
            let connection = connection.clone();
            connection
                .clone()
                .spawn(async move { Ok(connection.send(frame).await?) });
        }
        label => {
            // A kind there are none of: epoch 0, no changes, no objects.
            let response = Typed {
                label: label.to_owned(),
                object: Encoded(vec![0; 8 + 4 + 4]),
            };
            let frame = request.response(&response)?;
            let connection = connection.clone();
            connection
                .clone()
                .spawn(async move { Ok(connection.send(frame).await?) });
        }
    }
    Ok(())
}

fn follow<S>(
    connection: &Arc<Connection>,
    request: RawRequest,
    registry: impl Fn(&Shared) -> &Registry<S> + Send + Sync + 'static,
    summary: bool,
) where
    S: AdminSpec + Send + Sync + 'static,
    S::Status: Encoder + Decoder + Send + Sync,
    S::IndexKey: Send + Sync,
{
    let version = request.header.api_version();
    let task = {
        let connection = connection.clone();
        async move {
            let registry = registry(&connection.broker);
            let show = |object: &Metadata<S>| {
                if summary {
                    object.clone().summary()
                } else {
                    object.clone()
                }
            };
            let mut watcher = registry.watch();
            let mut pushed: Option<Snapshot<S>> = None;
            loop {
                let (epoch, now) = registry.snapshot();
                let news = match &pushed {
                    None => MetadataUpdate::with_all(
                        epoch,
                        now.values().map(|(_, object)| show(object)).collect(),
                    ),
                    Some(before) => {
                        MetadataUpdate::with_changes(epoch, changes(before, &now, show))
                    }
                };
                connection
                    .send(request.response(&update(news, version)?)?)
                    .await?;
                watcher.pushed(epoch);
                pushed = Some(now);
                if !watcher.changed().await {
                    return Ok(());
                }
            }
        }
    };
    connection.spawn(task);
}

fn changes<S>(
    before: &Snapshot<S>,
    now: &Snapshot<S>,
    show: impl Fn(&Metadata<S>) -> Metadata<S>,
) -> Vec<Message<Metadata<S>>>
where
    S: Spec + Encoder + Decoder,
    S::Status: Encoder + Decoder,
{
    let gone = before.iter().filter(|(name, _)| !now.contains_key(*name));
    let gone = gone.map(|(_, (_, object))| Message::delete(show(object)));
    let new = now
        .iter()
        .filter(|(name, (epoch, _))| before.get(*name).is_none_or(|(seen, _)| seen != epoch));
    let new = new.map(|(_, (_, object))| Message::update(show(object)));
    gone.chain(new).collect()
}

fn update<S>(news: MetadataUpdate<S>, version: i16) -> std::io::Result<Typed<Encoded>>
where
    S: AdminSpec,
    S::Status: Encoder + Decoder,
{
    let mut bytes = Vec::new();
    WatchResponse::new(news).encode(&mut bytes, version)?;
    Ok(Typed {
        label: S::LABEL.to_owned(),
        object: Encoded(bytes),
    })
}
