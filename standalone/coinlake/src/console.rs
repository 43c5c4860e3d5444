//! `coinlake console`: the web page, of a platform that runs elsewhere.

use std::net::SocketAddr;

use ::console::{Console, ConsoleConfig};
use anyhow::Result;
use clap::Args;
use connector_runtime::shutdown;

use crate::assets;
use crate::target::Target;
use crate::train;

/// Where the console listens unless told otherwise.
pub const DEFAULT_LISTEN: &str = "127.0.0.1:9080";

#[derive(Args)]
pub struct Options {
    #[command(flatten)]
    target: Target,
    /// Where to serve the page; port 0 takes any free one. It has no login: whoever reaches the address can look
    #[arg(long, value_name = "ADDR:PORT", default_value = DEFAULT_LISTEN)]
    listen: SocketAddr,
}

/// Serves the page until interrupted.
pub async fn run(options: Options) -> Result<()> {
    let interrupted = shutdown::on_signal();
    let platform = options.target.open()?;
    let console = Console::start(ConsoleConfig {
        cluster: platform.cluster,
        lake: platform.lake,
        blueprint: assets::blueprint()?,
        models: train::models_config(platform.data.as_deref(), platform.lake_url)?,
        listen: options.listen,
    })
    .await?;
    eprintln!("console at http://{}", console.addr());
    interrupted.cancelled().await;
    console.stop().await;
    Ok(())
}
