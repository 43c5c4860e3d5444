//! The whole public interface; reader and writer meet a real broker over TCP, on good days and bad ones.

#![allow(clippy::unwrap_used)] // a panic is how a test fails, in its helpers too

mod cluster;
mod config;
mod genuine;
mod modules;
mod monitor;
mod profile;
mod progress;
mod reading;
mod secrets;
mod support;
mod topics;
mod writing;
