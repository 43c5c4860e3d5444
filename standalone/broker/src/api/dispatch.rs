//! Requests: which is which, and who answers.
//!
//! A cluster's controller (SC) and its data nodes (SPU) use the same numbers for different requests. On one port the
//! version tells them apart: the SC's stop at 19, the SPU's begin at 23, and the client asks for what is advertised.

use std::sync::Arc;

use bytes::Bytes;
use fluvio_protocol::Decoder;
use fluvio_protocol::api::{Request, RequestHeader};
use fluvio_protocol::link::versions::{
    ApiVersionKey, ApiVersionsRequest, ApiVersionsResponse, PlatformVersion,
};
use fluvio_sc_schema::AdminPublicApiKey;
use fluvio_sc_schema::objects::{
    ObjectApiCreateRequest, ObjectApiDeleteRequest, ObjectApiListRequest, ObjectApiUpdateRequest,
    ObjectApiWatchRequest,
};
use fluvio_spu_schema::server::SpuServerApiKey;
use fluvio_spu_schema::server::consumer_offset::{
    DeleteConsumerOffsetRequest, FetchConsumerOffsetsRequest, UpdateConsumerOffsetRequest,
};
use fluvio_spu_schema::server::fetch_offset::FetchOffsetsRequest;
use fluvio_spu_schema::server::stream_fetch::StreamFetchRequest;
use fluvio_spu_schema::server::update_offset::UpdateOffsetsRequest;
use fluvio_spu_schema::{fetch::FetchRequest, produce::ProduceRequest};

use crate::api::{admin, fetch, offsets, produce, stream_fetch, watch};
use crate::connection::wire::{RawSet, SetFollows};
use crate::connection::{Connection, RawRequest, RequestError};

/// The platform version that has the protocol of the 0.50.1 crates.
const PLATFORM_VERSION: semver::Version = semver::Version::new(0, 18, 1);
/// Below are the SC's versions of a number, from here on the SPU's.
const SPU_VERSION_MIN: i16 = 20;

/// Carries out one request.
pub(crate) async fn handle(
    connection: &Arc<Connection>,
    mut frame: Bytes,
) -> Result<(), RequestError> {
    let header = RequestHeader::decode_from(&mut frame, 0)?;
    let (api_key, version) = (header.api_key(), header.api_version());
    let is_spu = version >= SPU_VERSION_MIN;
    let request = RawRequest::new(header, frame);
    // In a version below 0 an element of a list may have no bytes at all: a list of a billion fits into a small frame.
    let answered = api_key == ApiVersionsRequest::API_KEY
        || API_KEYS.iter().any(|known| {
            known.api_key as u16 == api_key
                && (known.min_version..=known.max_version).contains(&version)
        });
    if !answered {
        return Err(unknown(&request));
    }

    const CREATE: u16 = AdminPublicApiKey::Create as u16;
    const DELETE: u16 = AdminPublicApiKey::Delete as u16;
    const LIST: u16 = AdminPublicApiKey::List as u16;
    const WATCH: u16 = AdminPublicApiKey::Watch as u16;
    const UPDATE: u16 = AdminPublicApiKey::Update as u16;
    match api_key {
        ApiVersionsRequest::API_KEY => versions(connection, request).await,
        ProduceRequest::<RawSet>::API_KEY => produce::handle(connection, request).await,
        FetchRequest::<RawSet>::API_KEY => fetch::handle(connection, request).await,
        FetchOffsetsRequest::API_KEY if is_spu => offsets::fetch(connection, request).await,
        StreamFetchRequest::<RawSet>::API_KEY if is_spu => {
            stream_fetch::handle(connection, request)
        }
        UpdateOffsetsRequest::API_KEY => offsets::acknowledge(connection, request).await,
        UpdateConsumerOffsetRequest::API_KEY if is_spu => {
            offsets::update_consumer(connection, request).await
        }
        DeleteConsumerOffsetRequest::API_KEY => offsets::delete_consumer(connection, request).await,
        FetchConsumerOffsetsRequest::API_KEY => offsets::fetch_consumers(connection, request).await,
        CREATE => admin::create(connection, request).await,
        DELETE => admin::delete(connection, request).await,
        LIST => admin::list(connection, request).await,
        WATCH => watch::watch(connection, request),
        UPDATE => admin::update(connection, request).await,
        _ => Err(unknown(&request)),
    }
}

fn unknown(request: &RawRequest) -> RequestError {
    RequestError::Unknown {
        api_key: request.header.api_key(),
        version: request.header.api_version(),
        client: request.header.client_id().clone(),
    }
}

/// What is answered, in which versions.
const API_KEYS: [ApiVersionKey; 13] = [
    range::<ProduceRequest<SetFollows>>(),
    range::<FetchRequest<SetFollows>>(),
    range::<FetchOffsetsRequest>(),
    range::<StreamFetchRequest<SetFollows>>(),
    range::<UpdateOffsetsRequest>(),
    range::<UpdateConsumerOffsetRequest>(),
    range::<DeleteConsumerOffsetRequest>(),
    range::<FetchConsumerOffsetsRequest>(),
    range::<ObjectApiCreateRequest>(),
    range::<ObjectApiDeleteRequest>(),
    range::<ObjectApiListRequest>(),
    range::<ObjectApiWatchRequest>(),
    range::<ObjectApiUpdateRequest>(),
];

async fn versions(connection: &Connection, mut request: RawRequest) -> Result<(), RequestError> {
    request.decode::<ApiVersionsRequest>()?;
    let response = ApiVersionsResponse {
        api_keys: API_KEYS.to_vec(),
        platform_version: PlatformVersion::new(&PLATFORM_VERSION),
        ..Default::default()
    };
    Ok(connection.send(request.response(&response)?).await?)
}

const fn range<R: Request>() -> ApiVersionKey {
    ApiVersionKey {
        api_key: R::API_KEY as i16,
        min_version: R::MIN_API_VERSION,
        max_version: R::MAX_API_VERSION,
    }
}

const _: () = {
    // What tells the SC's requests from the SPU's must hold for the schema crates in use.
    assert!(SpuServerApiKey::FetchOffsets as u16 == AdminPublicApiKey::Delete as u16);
    assert!(ObjectApiListRequest::MAX_API_VERSION < SPU_VERSION_MIN);
    assert!(ObjectApiDeleteRequest::MAX_API_VERSION < SPU_VERSION_MIN);
    assert!(ObjectApiUpdateRequest::MAX_API_VERSION < SPU_VERSION_MIN);
    assert!(StreamFetchRequest::<RawSet>::MIN_API_VERSION >= SPU_VERSION_MIN);
    assert!(FetchOffsetsRequest::MIN_API_VERSION >= SPU_VERSION_MIN);
    assert!(UpdateConsumerOffsetRequest::MIN_API_VERSION >= SPU_VERSION_MIN);
    let mut i = 0;
    while i < API_KEYS.len() {
        assert!(API_KEYS[i].min_version >= 0);
        i += 1;
    }
};
