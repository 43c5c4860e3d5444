//! `coinlake notify`: posts alerts to a webhook.

use std::sync::Arc;

use anyhow::Result;
use clap::Args;
use connector_runtime::process::ClusterArgs;
use connector_runtime::process::monitor::{Monitor, MonitorArgs};
use connector_runtime::process::{log, shutdown};
use webhook_notifier::{NotifyStatus, WebhookArgs};

#[derive(Args)]
pub struct Options {
    #[command(flatten)]
    cluster: ClusterArgs,
    #[command(flatten)]
    webhook: WebhookArgs,
    #[command(flatten)]
    monitor: MonitorArgs,
}

/// Runs until interrupted.
pub async fn run(options: Options) -> Result<()> {
    let interrupted = shutdown::on_signal();
    let webhook = options.webhook.required()?;
    let cluster = options.cluster.named()?;
    let monitor = Monitor::start(&options.monitor, "notify").await?;
    let status = Arc::new(NotifyStatus::default());
    monitor.observe("notify", status.clone());
    log::say(&format!("alerts go to {}", webhook.host()));
    webhook_notifier::run(&cluster, &webhook, &interrupted, &status).await;
    Ok(())
}
