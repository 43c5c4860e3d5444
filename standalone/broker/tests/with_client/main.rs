//! The broker through the published client: one binary, so that the client and the engine are linked once.

#![allow(clippy::unwrap_used)] // a panic is how a test fails, in its helpers too

mod durability;
mod faults;
mod modules;
mod protocol;
mod records;
mod support;
mod topics;
