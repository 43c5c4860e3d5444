//! A file or folder for each command, with its arguments and a function `run`; `table` is for several.

pub(crate) mod backfill;
pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod console;
pub(crate) mod demo;
pub(crate) mod deploy;
pub(crate) mod health;
pub(crate) mod init;
pub(crate) mod lake;
pub(crate) mod man;
pub(crate) mod notify;
pub(crate) mod rules;
mod table;
pub(crate) mod train;
pub(crate) mod up;
