//! `coinlake notify`: sends alerts to a webhook.

use std::sync::Arc;

use anyhow::Result;
use clap::Args;
use connector_runtime::process::ClusterArgs;
use connector_runtime::process::monitor::{Monitor, MonitorArgs};
use connector_runtime::process::{log, shutdown};
use webhook_notifier::{NotifyStatus, WebhookArgs};

#[derive(Args)]
pub(crate) struct NotifyArgs {
    #[command(flatten)]
    cluster: ClusterArgs,
    #[command(flatten)]
    webhook: WebhookArgs,
    #[command(flatten)]
    monitor: MonitorArgs,
}

/// Runs until interrupted.
pub(crate) async fn run(args: NotifyArgs) -> Result<()> {
    let interrupted = shutdown::on_signal();
    let webhook = args.webhook.required()?;
    let cluster = args.cluster.named()?;
    let monitor = Monitor::start(&args.monitor, "notify").await?;
    let status = Arc::new(NotifyStatus::default());
    monitor.observe("notify", status.clone());
    log::say(&format!("sending alerts to {}", webhook.host()));
    webhook_notifier::run(&cluster, &webhook, &interrupted, &status).await;
    Ok(())
}
