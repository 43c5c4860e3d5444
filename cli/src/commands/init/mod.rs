//! `coinlake init`: a settings file to start with, or a systemd unit that runs it.
//!
//! - [`command`]: its arguments; writes the file
//! - [`service`]: the unit

mod command;
mod service;

pub(crate) use command::{InitArgs, run};
