//! Whole stages with the real broker and the real SmartModules. Each file tests one guarantee.

#![allow(clippy::unwrap_used)] // a panic is how a test fails, in its helpers too

mod config;
mod crash;
mod input;
mod lands;
mod network;
mod predictions;
mod probes;
mod rivals;
mod s3;
mod s3_faults;
mod support;
mod swap;
