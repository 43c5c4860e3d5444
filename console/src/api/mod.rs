//! The JSON and the live updates that the page asks for.
//!
//! - `live`: server-sent events, for every page.
//! - `history`: the chart page; `topics` and `lake`: the Data page; `models`: the Models page.
//! - `error`: the answer to a request that failed.

pub(crate) mod error;
pub(crate) mod history;
pub(crate) mod lake;
pub(crate) mod live;
pub(crate) mod models;
pub(crate) mod topics;
