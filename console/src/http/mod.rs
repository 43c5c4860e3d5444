//! The web server: which address answers with what, and to whom.
//!
//! - `routes`: every address of the console.
//! - `static_files`: the page's own files.
//! - `guard`: security headers, which hosts are served, and who may change anything.

mod guard;
mod routes;
mod static_files;

pub(crate) use guard::Hosts;
pub(crate) use routes::router;
