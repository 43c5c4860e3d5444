//! Reader and writer against a real broker over TCP, on good days and bad ones.

#![allow(clippy::unwrap_used)] // a panic is how a test fails, in its helpers too

mod cluster;
mod fixture;
mod genuine;
mod modules;
mod monitor;
mod progress;
mod reading;
mod topics;
mod writing;
