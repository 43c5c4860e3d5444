//! Fluvio connector: CoinGecko market data into a topic.

use std::sync::Arc;

use clap::Parser as _;
use coingecko_source::{Config, SECTION, SourceStatus};
use connector_runtime::{cli, shutdown};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = cli::Args::parse();
    cli::init_logging(args.log_format);
    let config = Config::load(&args.config, SECTION, args.secrets.as_deref())?;
    let status = Arc::new(SourceStatus::default());
    coingecko_source::run(config, args.cluster()?, shutdown::on_signal(), status).await
}
