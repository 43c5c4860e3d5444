//! Trouble made on purpose, for tests: a network at its worst, a clock that jumps, a disk that is full, and what a process uses meanwhile.
//!
//! Always true: what is drawn at random is drawn from one seed, which is printed. `cargo xtask faults` sets it, and asks for
//! the long form of a test; without it every test takes its short form, always with the same seed.

mod fake_clock;
mod proxy;
mod small_disk;
mod vitals;

use std::env;
use std::fmt::Display;
use std::str::FromStr;

pub use fake_clock::FakeClock;
pub use proxy::{Listening, Network, Proxy};
pub use small_disk::SmallDisk;
pub use vitals::Vitals;

/// The seed of this run.
///
/// # Panics
/// When `COINLAKE_FAULTS_SEED` is no number.
pub fn seed() -> u64 {
    let seed = setting("COINLAKE_FAULTS_SEED", 1);
    println!("seed {seed}");
    seed
}

/// How often something is done: `short` in every run of the tests, `long` when the long form is asked for, or as often as
/// `COINLAKE_FAULTS_TIMES` says.
///
/// # Panics
/// When `COINLAKE_FAULTS_TIMES` is no number.
pub fn times(short: u64, long: u64) -> u64 {
    let usual = if is_long() { long } else { short };
    setting("COINLAKE_FAULTS_TIMES", usual)
}

/// Whether the long form is asked for.
pub fn is_long() -> bool {
    env::var_os("COINLAKE_FAULTS").is_some_and(|form| form == "long")
}

fn setting<T: FromStr + Display>(name: &str, usual: T) -> T {
    match env::var(name) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("{name} is no number: {text}")),
        Err(_) => usual,
    }
}
