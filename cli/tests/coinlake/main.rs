//! The finished command as its users run it. One program, so that everything it stands on is linked once; the tests of the
//! console are another, because they measure the machine and nothing may run beside them.

#![allow(clippy::unwrap_used)] // a panic is how a test fails, in its helpers too

mod cluster;
mod demo;
mod faults;
mod figures;
mod living;
mod observe;
mod readers;
mod rows;
mod rules;
mod shipped;
mod terminal;
mod train;
mod up;
mod upkeep;
