//! The requests that the broker answers, a file for each kind.
//!
//! - `dispatch` tells them apart; `admin` and `watch` are the controller's (SC), the others a data node's (SPU).

mod admin;
mod blocking;
mod dispatch;
mod fetch;
mod offsets;
mod produce;
mod read;
mod stream_fetch;
mod watch;

pub(crate) use dispatch::handle;
