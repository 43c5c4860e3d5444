//! The broker through the published client: one binary, so that the client and the engine are linked once.

mod durability;
mod faults;
mod modules;
mod protocol;
mod records;
mod support;
mod topics;
