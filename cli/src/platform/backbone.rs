//! The first phase: a broker with topics, SmartModules and table formats.

use std::net::SocketAddr;

use anyhow::Result;
use broker::{Broker, BrokerConfig};
use connector_runtime::cluster::{Client, Cluster};
use console::{ChainTime, ChainTimes, Console, ConsoleConfig};
use lake::Lake;

use super::data_dir::DataDir;
use crate::assets::{self, SmartModule};
use crate::deployment::{Bundle, deploy};
use crate::models;

/// One machine needs no more; the topic files of fluvio-config/ are for clusters.
const PARTITIONS: u32 = 1;

pub(crate) struct Backbone {
    broker: Broker,
    cluster: Cluster,
    data: DataDir,
    console: Option<Console>,
}

impl Backbone {
    /// Starts the broker on `listen` and deploys, with the models in production.
    pub(crate) async fn start(
        data: DataDir,
        listen: SocketAddr,
        smartmodules: Vec<SmartModule>,
    ) -> Result<Self> {
        let production = models::models_in_production(data.root()).await;
        let bundle = Bundle::complete(smartmodules, Some(PARTITIONS), production)?;
        let broker = Broker::start(BrokerConfig {
            listen,
            ..BrokerConfig::new(data.broker())
        })
        .await?;
        data.set_broker_addr(&broker.addr().to_string())?;
        let cluster = Cluster::at(broker.addr());
        let client = cluster.connect().await?;
        deploy(&client, bundle).await?;
        Ok(Self {
            broker,
            cluster,
            data,
            console: None,
        })
    }

    /// The broker, as the connectors see it.
    pub(crate) fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// A new connection to the broker.
    pub(crate) async fn connect(&self) -> Result<Client> {
        Ok(self.cluster.connect().await?)
    }

    /// Where the broker listens.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.broker.addr()
    }

    /// The lake as a folder or URL.
    pub(crate) fn lake_url(&self) -> String {
        self.data.lake().display().to_string()
    }

    /// Serves the web console until the backbone stops; returns its address.
    pub(crate) async fn serve_console(&mut self, listen: SocketAddr) -> Result<SocketAddr> {
        let lake_url = self.lake_url();
        let console = Console::start(ConsoleConfig {
            cluster: self.cluster.clone(),
            lake: Lake::open_str(&lake_url, [])?,
            blueprint: assets::blueprint(self.data.is_live()?)?,
            models: models::console_models(Some(self.data.root()), lake_url)?,
            chain_times: Some(self.chain_times()),
            listen,
        })
        .await?;
        let addr = console.addr();
        self.console = Some(console);
        Ok(addr)
    }

    fn chain_times(&self) -> ChainTimes {
        let times = self.broker.chain_times();
        Box::new(move |smartmodules| {
            times.of(smartmodules).map(|time| ChainTime {
                records: time.records,
                busy: time.busy,
            })
        })
    }

    /// Stops the console, then the broker. Records that the broker has acknowledged are on disk.
    pub(crate) async fn stop(self) {
        if let Some(console) = self.console {
            console.stop().await;
        }
        self.broker.stop().await;
    }
}
