//! The console as people see it: a real browser, a real platform behind it.
//!
//! Screenshots land in target/screenshots/, to be looked at.

#![allow(clippy::unwrap_used)] // a panic is how a test fails, in its helpers too

mod browser;
mod load;
mod pages;
mod platform;
mod strangers;

/// Two browsers and two platforms at once would measure each other.
static ONE_AT_A_TIME: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
