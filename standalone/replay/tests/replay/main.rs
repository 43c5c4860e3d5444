//! Markets as whoever replays them sees them.

#![allow(clippy::unwrap_used)] // a panic is how a test fails, in its helpers too

mod charts;
mod field;
mod quality;
mod recording;
mod server;
mod source;
