//! Tables written and read back through the crate's own doors.

#![allow(clippy::unwrap_used)] // a panic is how a test fails, in its helpers too

mod rows;

mod entries;
mod followers;
mod year;
