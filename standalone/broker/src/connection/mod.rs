//! Connections of clients.
//!
//! - `server` accepts them and reads their requests; `client` is one of them.
//! - `request` is a request before its kind is known; `wire` holds frames and the encodings of record sets.

mod client;
mod request;
mod server;
pub(crate) mod wire;

pub(crate) use client::{Connection, StreamHandle};
pub(crate) use request::{RawRequest, RequestError};
pub(crate) use server::accept;
