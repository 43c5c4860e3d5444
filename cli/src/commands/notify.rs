//! `coinlake notify`: sends alerts to webhooks.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use connector_runtime::process::ClusterArgs;
use connector_runtime::process::monitor::{Monitor, MonitorArgs};
use connector_runtime::process::{log, shutdown};
use market::Rules;
use webhook_notifier::{Receiver, WebhookArgs};

use crate::settings::RulesFile;

#[derive(Args)]
pub(crate) struct NotifyArgs {
    #[command(flatten)]
    cluster: ClusterArgs,
    #[command(flatten)]
    webhook: WebhookArgs,
    /// The file of the rules that crypto-anomaly has, for their `repeat`: a JSON list, or a settings file [default: 1h each]
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,
    /// Send one test message to each receiver, print what came back, and exit; 1 if one did not take it
    #[arg(long)]
    test: bool,
    #[command(flatten)]
    monitor: MonitorArgs,
}

/// Runs until interrupted.
pub(crate) async fn run(args: NotifyArgs) -> Result<ExitCode> {
    let interrupted = shutdown::on_signal();
    let rules = match &args.rules {
        Some(file) => RulesFile::read(file)?.rules,
        None => Rules::default(),
    };
    let receivers = args.webhook.required(&rules)?;
    if args.test {
        return Ok(test(&receivers).await);
    }
    let cluster = args.cluster.named()?;
    let monitor = Monitor::start(&args.monitor, "notify").await?;
    for receiver in &receivers {
        monitor.observe(receiver.part(), receiver.status());
        log::say(&format!("sending alerts to {}", receiver.host()));
    }
    // It mutes nothing, and knows nothing of the source.
    webhook_notifier::run(&cluster, &receivers, &|_| false, &|| false, &interrupted).await;
    Ok(ExitCode::SUCCESS)
}

async fn test(receivers: &[Receiver]) -> ExitCode {
    let mut code = ExitCode::SUCCESS;
    for receiver in receivers {
        let part = receiver.part();
        match receiver.test().await {
            Ok(answer) => outln!("{part}: {} took the message: {answer}", receiver.host()),
            Err(error) => {
                outln!("{part}: not delivered: {error:#}");
                code = ExitCode::FAILURE;
            }
        }
    }
    code
}
