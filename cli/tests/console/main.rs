//! The console as people see it: a real browser, a real platform behind it.
//!
//! Screenshots land in target/screenshots/, to be looked at. `COINLAKE_UPDATE_DOCS=1` puts those of the README into docs/.

#![allow(clippy::unwrap_used)] // a panic is how a test fails, in its helpers too

mod accessible;
mod alerts;
mod browser;
mod chart;
mod currency;
mod lake;
mod load;
mod market;
mod models;
mod opening;
mod pages;
mod past;
mod pictures;
mod platform;
mod proxied;
mod recorded;
mod strangers;
mod stream;
mod ticking;
mod topics;
mod week;

/// Two browsers and two platforms at once would measure each other.
static ONE_AT_A_TIME: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
