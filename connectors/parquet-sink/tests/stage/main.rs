//! Whole stages against the real broker and the real SmartModules. Each file is one promise.

#![allow(clippy::unwrap_used)]

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
