//! `coinlake notify`: sends alerts to webhooks.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use connector_runtime::process::ClusterArgs;
use connector_runtime::process::monitor::{Monitor, MonitorArgs};
use connector_runtime::process::{log, shutdown};
use webhook_notifier::{Receiver, WebhookArgs};

#[derive(Args)]
pub(crate) struct NotifyArgs {
    #[command(flatten)]
    cluster: ClusterArgs,
    #[command(flatten)]
    webhook: WebhookArgs,
    /// Send one test message to each receiver, print what came back, and exit; 1 if one did not take it
    #[arg(long)]
    test: bool,
    #[command(flatten)]
    monitor: MonitorArgs,
}

/// Runs until interrupted.
pub(crate) async fn run(args: NotifyArgs) -> Result<ExitCode> {
    let interrupted = shutdown::on_signal();
    let receivers = args.webhook.required()?;
    if args.test {
        return Ok(test(&receivers).await);
    }
    let cluster = args.cluster.named()?;
    let monitor = Monitor::start(&args.monitor, "notify").await?;
    for receiver in &receivers {
        monitor.observe(receiver.part(), receiver.status());
        log::say(&format!("sending alerts to {}", receiver.host()));
    }
    webhook_notifier::run(&cluster, &receivers, &interrupted).await;
    Ok(ExitCode::SUCCESS)
}

async fn test(receivers: &[Receiver]) -> ExitCode {
    let mut code = ExitCode::SUCCESS;
    for receiver in receivers {
        let part = receiver.part();
        match receiver.test().await {
            Ok(answer) => println!("{part}: {} took the message: {answer}", receiver.host()),
            Err(error) => {
                println!("{part}: not delivered: {error:#}");
                code = ExitCode::FAILURE;
            }
        }
    }
    code
}
