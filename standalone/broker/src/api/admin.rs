//! Objects: create, list, delete, update.

use std::sync::Arc;
use std::time::Duration;

use fluvio_controlplane_metadata::core::Spec;
use fluvio_controlplane_metadata::store::KeyFilter;
use fluvio_protocol::link::ErrorCode;
use fluvio_protocol::{Decoder, Encoder};
use fluvio_sc_schema::objects::{
    CommonCreateRequest, CreateRequest, DeleteRequest, ListFilter, ListRequest, ListResponse,
    Metadata, UpdateRequest,
};
use fluvio_sc_schema::partition::PartitionSpec;
use fluvio_sc_schema::smartmodule::{SmartModulePackageKey, SmartModuleSpec, SmartModuleStatus};
use fluvio_sc_schema::spu::SpuSpec;
use fluvio_sc_schema::tableformat::{TableFormatSpec, TableFormatStatus};
use fluvio_sc_schema::topic::{TopicSpec, UpdateTopicAction};
use fluvio_sc_schema::{AdminSpec, Status};

use crate::connection::wire::{Encoded, Typed, TypedBytes};
use crate::connection::{Connection, RawRequest, RequestError};
use crate::metadata::{Specs, StoreError};
use crate::shared::Shared;

/// How long an SC waits to hear of partitions.
const SILENCE: Duration = Duration::from_secs(90);

pub(super) async fn create(
    connection: &Connection,
    mut request: RawRequest,
) -> Result<(), RequestError> {
    let version = request.header.api_version();
    let object = request.typed()?;
    let broker = &connection.broker;
    let status = match object.label.as_str() {
        TopicSpec::LABEL => {
            let (common, spec) = object.decode::<CreateRequest<TopicSpec>>(version)?.parts();
            let created = broker
                .topics
                .create(&common.name, spec, common.dry_run)
                .await;
            if !common.dry_run && created.is_ok() && broker.config.faults.take_silent_creation() {
                tokio::time::sleep(SILENCE).await;
            }
            match created {
                Ok(()) => Status::new_ok(common.name),
                Err(error) => Status::new(common.name, error.code, Some(error.message)),
            }
        }
        SmartModuleSpec::LABEL => {
            let (common, spec) = object
                .decode::<CreateRequest<SmartModuleSpec>>(version)?
                .parts();
            create_smart_module(broker, common, spec).await
        }
        TableFormatSpec::LABEL => {
            let (common, spec) = object
                .decode::<CreateRequest<TableFormatSpec>>(version)?
                .parts();
            create_table_format(broker, common, spec).await
        }
        label => unsupported(label, "created"),
    };
    Ok(connection.send(request.response(&status)?).await?)
}

pub(super) async fn delete(
    connection: &Connection,
    mut request: RawRequest,
) -> Result<(), RequestError> {
    let version = request.header.api_version();
    let object = request.typed()?;
    let broker = &connection.broker;
    let status = match object.label.as_str() {
        TopicSpec::LABEL => {
            let delete = object.decode::<DeleteRequest<TopicSpec>>(version)?;
            let force = delete.is_force();
            let name = delete.key();
            match broker.topics.delete(&name, force).await {
                Ok(()) => {
                    broker.consumers.forget_topic(&name);
                    Status::new_ok(name)
                }
                Err(error) => Status::new(name, error.code, Some(error.message)),
            }
        }
        SmartModuleSpec::LABEL => {
            let name = object
                .decode::<DeleteRequest<SmartModuleSpec>>(version)?
                .key();
            delete_smart_module(broker, name).await
        }
        TableFormatSpec::LABEL => {
            let name = object
                .decode::<DeleteRequest<TableFormatSpec>>(version)?
                .key();
            if broker.table_formats.get(&name).is_none() {
                let message = format!("table format '{name}' not found");
                Status::new(name, ErrorCode::TableFormatNotFound, Some(message))
            } else {
                match broker.store.remove_spec(Specs::TableFormats, &name).await {
                    Ok(()) => {
                        broker.table_formats.remove([name.as_str()]);
                        broker.table_formats.settled().await;
                        Status::new_ok(name)
                    }
                    Err(error) => failed(name, ErrorCode::TableFormatError, &error),
                }
            }
        }
        label => unsupported(label, "deleted"),
    };
    Ok(connection.send(request.response(&status)?).await?)
}

pub(super) async fn update(
    connection: &Connection,
    mut request: RawRequest,
) -> Result<(), RequestError> {
    let version = request.header.api_version();
    let object = request.typed()?;
    let status = match object.label.as_str() {
        TopicSpec::LABEL => {
            let update = object.decode::<UpdateRequest<TopicSpec>>(version)?;
            let action = update.action.clone();
            let name = update.key();
            match action {
                UpdateTopicAction::AddPartition(add) => {
                    match connection
                        .broker
                        .topics
                        .add_partitions(&name, add.count)
                        .await
                    {
                        Ok(()) => Status::new_ok(name),
                        Err(error) => Status::new(name, error.code, Some(error.message)),
                    }
                }
                UpdateTopicAction::AddMirror(_) => unsupported("mirror", "added"),
            }
        }
        label => unsupported(label, "updated"),
    };
    Ok(connection.send(request.response(&status)?).await?)
}

pub(super) async fn list(
    connection: &Connection,
    mut request: RawRequest,
) -> Result<(), RequestError> {
    let version = request.header.api_version();
    let object = request.typed()?;
    let broker = &connection.broker;
    let encoded = match object.label.as_str() {
        TopicSpec::LABEL => {
            let list = object.decode::<ListRequest<TopicSpec>>(version)?;
            let topics = broker.topics.objects.all().into_iter().filter(|topic| {
                topic.spec.is_system() == list.system && list.name_filters.filter(&topic.name)
            });
            encode(topics.map(Arc::unwrap_or_clone), version)?
        }
        PartitionSpec::LABEL => {
            let list = object.decode::<ListRequest<PartitionSpec>>(version)?;
            let topics = broker.topics.all();
            let topics = topics
                .iter()
                .filter(|topic| topic.spec().is_system() == list.system);
            let mut partitions: Vec<_> =
                topics.flat_map(|topic| topic.partition_objects()).collect();
            partitions.sort_by(|a, b| a.name.cmp(&b.name));
            encode(partitions, version)?
        }
        SpuSpec::LABEL => {
            let list = object.decode::<ListRequest<SpuSpec>>(version)?;
            let spu = connection.spu();
            encode(
                Some(spu).filter(|spu| list.name_filters.filter(&spu.name)),
                version,
            )?
        }
        SmartModuleSpec::LABEL => {
            let list = object.decode::<ListRequest<SmartModuleSpec>>(version)?;
            let filters = Vec::<ListFilter>::from(list.name_filters);
            let keys: Vec<_> = filters
                .iter()
                .filter_map(|filter| SmartModulePackageKey::from_qualified_name(&filter.name).ok())
                .collect();
            let modules = broker.smart_modules.all().into_iter().filter(|module| {
                let package = module.spec.meta.as_ref().map(|meta| &meta.package);
                filters.is_empty() || keys.iter().any(|key| key.is_match(&module.name, package))
            });
            let modules = modules.map(Arc::unwrap_or_clone);
            encode(
                modules.map(|module| {
                    if list.summary {
                        module.summary()
                    } else {
                        module
                    }
                }),
                version,
            )?
        }
        TableFormatSpec::LABEL => {
            let list = object.decode::<ListRequest<TableFormatSpec>>(version)?;
            let formats = broker.table_formats.all().into_iter();
            let formats = formats.filter(|format| list.name_filters.filter(&format.name));
            encode(formats.map(Arc::unwrap_or_clone), version)?
        }
        // SPU groups, custom SPUs, mirrors and what later versions bring: there are none here.
        _ => Encoded(0i32.to_be_bytes().to_vec()),
    };
    let response = Typed {
        label: object.label,
        object: encoded,
    };
    Ok(connection.send(request.response(&response)?).await?)
}

fn encode<S>(
    objects: impl IntoIterator<Item = Metadata<S>>,
    version: i16,
) -> std::io::Result<Encoded>
where
    S: AdminSpec,
    S::Status: Encoder + Decoder + std::fmt::Debug,
{
    let mut bytes = Vec::new();
    ListResponse::new(objects.into_iter().collect()).encode(&mut bytes, version)?;
    Ok(Encoded(bytes))
}

async fn create_smart_module(
    broker: &Shared,
    common: CommonCreateRequest,
    spec: SmartModuleSpec,
) -> Status {
    let name = match &spec.meta {
        Some(meta) if !meta.package.is_valid() => {
            let message = "a SmartModule package needs a name and a group".to_owned();
            return Status::new(common.name, ErrorCode::SmartModuleError, Some(message));
        }
        Some(meta) => meta.store_id(),
        None => common.name,
    };
    if common.dry_run {
        return Status::new_ok(name);
    }
    match broker
        .store
        .put_spec(Specs::SmartModules, &name, &spec)
        .await
    {
        Ok(()) => {
            broker.smart_modules.put([Metadata {
                name: name.clone(),
                spec,
                status: SmartModuleStatus,
            }]);
            broker.smart_modules.settled().await;
            Status::new_ok(name)
        }
        Err(error) => failed(name, ErrorCode::SmartModuleError, &error),
    }
}

async fn delete_smart_module(broker: &Shared, name: String) -> Status {
    let id = match SmartModulePackageKey::from_qualified_name(&name) {
        Ok(key) => key.store_id(),
        Err(error) => {
            return Status::new(name, ErrorCode::SmartModuleError, Some(error.to_string()));
        }
    };
    if broker.smart_modules.get(&id).is_none() {
        let message = format!("SmartModule '{name}' not found");
        return Status::new(
            name.clone(),
            ErrorCode::SmartModuleNotFound { name },
            Some(message),
        );
    }
    match broker.store.remove_spec(Specs::SmartModules, &id).await {
        Ok(()) => {
            broker.smart_modules.remove([id.as_str()]);
            broker.smart_modules.settled().await;
            Status::new_ok(name)
        }
        Err(error) => failed(name, ErrorCode::SmartModuleError, &error),
    }
}

async fn create_table_format(
    broker: &Shared,
    common: CommonCreateRequest,
    spec: TableFormatSpec,
) -> Status {
    let name = common.name;
    if broker.table_formats.get(&name).is_some() {
        let message = format!("table format '{name}' already exists");
        return Status::new(name, ErrorCode::TableFormatAlreadyExists, Some(message));
    }
    if common.dry_run {
        return Status::new_ok(name);
    }
    match broker
        .store
        .put_spec(Specs::TableFormats, &name, &spec)
        .await
    {
        Ok(()) => {
            let status = TableFormatStatus::default();
            broker.table_formats.put([Metadata {
                name: name.clone(),
                spec,
                status,
            }]);
            broker.table_formats.settled().await;
            Status::new_ok(name)
        }
        Err(error) => failed(name, ErrorCode::TableFormatError, &error),
    }
}

fn failed(name: String, code: ErrorCode, error: &StoreError) -> Status {
    tracing::error!(name, "{error}");
    Status::new(name, code, Some(error.to_string()))
}

fn unsupported(label: &str, done: &str) -> Status {
    let message = format!("a {label} cannot be {done} on this broker; use a Fluvio cluster");
    Status::new(
        label.to_owned(),
        ErrorCode::Other(message.clone()),
        Some(message),
    )
}

impl RawRequest {
    /// Reads the kind of an object request.
    pub(super) fn typed(&mut self) -> std::io::Result<TypedBytes> {
        let version = self.header.api_version();
        TypedBytes::read(&mut self.body, version)
    }
}
