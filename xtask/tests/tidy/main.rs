//! Rules that the repository keeps, checked on its sources: nothing here runs the product.
//!
//! - `crates`: who imports whom is what docs/architecture.md says.
//! - `circles`: no files import each other in a circle; `modules` resolves their paths.
//! - `folders`: docs/architecture.md lists the folders that exist.
//! - `generated`: what the next three compare.
//! - `configuration`: docs/configuration.md is up to date.
//! - `metrics`: docs/metrics.md is up to date.
//! - `tables`: docs/tables.md and docs/schemas are up to date.
//! - `links`: links in Markdown lead somewhere, and the README stays short.
//! - `workspace`: where everything is.

mod circles;
mod configuration;
mod crates;
mod folders;
mod generated;
mod links;
mod metrics;
mod modules;
mod page;
mod tables;
mod workspace;
