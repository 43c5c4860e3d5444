//! What `coinlake up` runs, as its user has set it.
//!
//! - [`file`] is the shape of `coinlake.yaml`, [`address`] the addresses in it, [`template`] what `coinlake init` writes
//! - [`args`] are the options of `up` and `check`
//! - [`find`] finds the file, and what other commands want of it
//! - [`run_plan`] puts options over the file and checks everything before anything is started: [`coins`] is the source's
//!   part, [`rules`] that of the user's alert rules, [`stages`] that of the stages; [`problems`] collects what is wrong

mod address;
mod args;
mod coins;
mod file;
mod find;
mod problems;
mod rules;
mod run_plan;
mod stages;
mod template;

pub(crate) use address::host_name;
pub(crate) use args::SettingsArgs;
pub(crate) use find::{CONFIG_FILE, DEMO_DATA_DIR, default_data_dir};
pub(crate) use problems::SettingsProblems;
pub(crate) use rules::RulesFile;
pub(crate) use run_plan::{RunPlan, usable_retention};
pub(crate) use template::TEMPLATE;
