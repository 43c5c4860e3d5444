//! `coinlake notify`: tells people of alerts, through a webhook.
//!
//! It is a reader of crypto-alerts like any other, so it holds nobody up, however slow its receiver is. What holds:
//!
//! * An alert that calls for a message is posted until the receiver takes it, refuses it (a status that will not change
//!   by trying again), or the alert is an hour old.
//! * The position is the cluster's consumer offset of [`CONSUMER_ID`], stored after every message. A kill between the
//!   receiver's answer and that brings one message again, under the same `webhook-id`.
//! * A coin has one message in the window at most, unless its severity rises, also across a restart: coins with an alert
//!   in the window before count as told.
//! * The first start begins with the alerts to come.

mod cooldown;
mod message;
mod notifier;
mod status;
mod webhook;

pub use notifier::run;
pub use status::NotifyStatus;
pub use webhook::{Webhook, WebhookArgs, WebhookSettings};
