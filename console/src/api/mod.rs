//! The JSON and the live updates that the page asks for.
//!
//! - `live`: server-sent events, for every page.
//! - `market`: the Market page; `history`: the chart page; `alerts` and `rules`: the Alerts page; `topics`, `records`, `tail`, `lake`
//!   and `rows`: the Data page; `models`: the Models page.
//! - `error`: the answer to a request that failed.

pub(crate) mod alerts;
pub(crate) mod error;
pub(crate) mod history;
pub(crate) mod lake;
pub(crate) mod live;
pub(crate) mod market;
pub(crate) mod models;
pub(crate) mod records;
pub(crate) mod rows;
pub(crate) mod rules;
pub(crate) mod tail;
pub(crate) mod topics;
