//! Whole stages against the real broker and the real SmartModules. Each file is one promise.

#![allow(clippy::unwrap_used)]

mod crash;
mod input;
mod lands;
mod predictions;
mod probes;
mod rivals;
mod s3;
mod support;
mod swap;
