//! `coinlake notify`: tells people of alerts, through webhooks.
//!
//! Each receiver has a reader of crypto-alerts of its own, so it holds up neither the pipeline nor another receiver, however
//! slow it is. What holds, for each:
//!
//! - An alert that calls for a message is posted until the receiver takes it, refuses it (a status that will not change
//!   by trying again), or the alert is an hour old.
//! - The position is a consumer offset in the cluster, stored after every message. A kill between the receiver's answer and
//!   that brings one message again, under the same `webhook-id`.
//! - A coin's built-in kinds have one message in the window at most, unless it gets worse, and each rule about it one in its
//!   own, also across a restart: what has an alert in the window before counts as told.
//! - The first start begins with the alerts to come; later ones with those that nobody was told of, up to an hour back.
//!
//! - `settings`, `args`: receivers, as a file or a command line and secrets name them; `receiver` delivers to one.
//! - `alert`, `message`, `format`, `signature`: from a record to the body that a service understands.
//! - `reply`: what a receiver's answer means.
//! - `notifier` reads alerts, `selection` is what a receiver is told of, `subject` what an alert is about, `cooldown` says who was told what, `feed` watches that data comes at all; `delivery` posts
//!   until there is an outcome; `status` counts.

mod alert;
mod args;
mod cooldown;
mod delivery;
mod feed;
mod format;
mod message;
mod notifier;
mod receiver;
mod reply;
mod selection;
mod settings;
mod signature;
mod status;
mod subject;

pub use args::WebhookArgs;
pub use feed::Backfilling;
pub use format::Format;
pub use notifier::{Mutes, run};
pub use receiver::{Receiver, ReceiverSettings};
pub use selection::Selection;
pub use settings::WebhookSettings;
pub use status::{NotifyStatus, Outcome};
