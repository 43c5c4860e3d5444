//! Whole stages with the real broker and the real SmartModules. Each file tests one guarantee.

#![allow(clippy::unwrap_used)] // a panic is how a test fails, in its helpers too

mod config;
mod crash;
mod evicted;
mod format;
mod input;
mod lands;
mod memory;
mod network;
mod pods;
mod predictions;
mod probes;
mod rivals;
mod schema;
mod stores;
mod support;
mod swap;
mod upkeep_away;
mod upkeep_killed;
