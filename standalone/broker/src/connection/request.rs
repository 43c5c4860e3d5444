//! A request as it came, and why a connection ends.

use bytes::Bytes;
use fluvio_protocol::api::RequestHeader;
use fluvio_protocol::{Decoder, Encoder};

use crate::connection::wire;

/// Why a connection ends: the protocol has no answer that says "I don't understand".
#[derive(Debug, thiserror::Error)]
pub(crate) enum RequestError {
    /// The bytes are not what the protocol says, or the connection broke.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// A request this broker doesn't know.
    #[error("request {api_key} in version {version} from '{client}' is not known")]
    Unknown {
        /// The request's number.
        api_key: u16,
        /// Its version.
        version: i16,
        /// Who sent it.
        client: String,
    },
    /// A test asked for it.
    #[error("broken on purpose")]
    Fault,
}

/// A request's header and what is left of its frame.
#[derive(Debug)]
pub(crate) struct RawRequest {
    /// Number, version, correlation id, client.
    pub header: RequestHeader,
    /// What is left of the frame.
    pub body: Bytes,
}

impl RawRequest {
    /// A request from its header and the bytes behind it.
    pub(crate) fn new(header: RequestHeader, body: Bytes) -> Self {
        Self { header, body }
    }

    /// Decodes the body.
    pub(crate) fn decode<R: Decoder>(&mut self) -> Result<R, RequestError> {
        Ok(R::decode_from(&mut self.body, self.header.api_version())?)
    }

    /// The frame that answers it.
    pub(crate) fn response(&self, response: &impl Encoder) -> Result<Bytes, RequestError> {
        Ok(wire::response_frame(
            self.header.correlation_id(),
            response,
            self.header.api_version(),
        )?)
    }
}
