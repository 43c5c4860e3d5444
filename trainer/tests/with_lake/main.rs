//! From a lake's files to a run.

#![allow(clippy::unwrap_used)] // a panic is how a test fails, in its helpers too

mod market;
mod reading;
mod recording;
mod training;
