//! Reader and writer against a real broker over TCP, on good days and bad ones.

mod cluster;
mod fixture;
mod modules;
mod progress;
mod reading;
mod topics;
mod writing;
