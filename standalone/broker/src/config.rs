//! Where a broker listens and keeps its data.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::faults::Faults;

/// Where a [`Broker`](crate::Broker) listens and keeps its data.
#[derive(Debug, Clone)]
pub struct BrokerConfig {
    /// The address to listen on; port 0 takes any free one. Whoever can connect can do everything.
    pub listen: SocketAddr,
    /// The folder that holds everything the broker must remember. One broker at a time uses it.
    pub data_dir: PathBuf,
    /// Host and port that clients of `listen` are told to connect to. By default the address by which a client has reached
    /// the broker, which is right unless something between them translates addresses. Clients on this machine then use
    /// [`Broker::inner_addr`](crate::Broker::inner_addr).
    pub advertise: Option<(String, u16)>,
    /// How long topics that exist already keep their records from now on. Others keep to what they were created with.
    pub retention: HashMap<String, Duration>,
    /// A request of more bytes ends its connection.
    pub frame_bytes_max: usize,
    /// How long an acknowledged record can be lost to a power cut.
    pub sync_interval: Duration,
    /// How often segments that are too old or too much are looked for.
    pub evict_interval: Duration,
    /// Misbehaviour for tests.
    pub faults: Faults,
}

impl BrokerConfig {
    /// A broker on any free loopback port.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            data_dir: data_dir.into(),
            advertise: None,
            retention: HashMap::new(),
            frame_bytes_max: 64 * 1024 * 1024,
            sync_interval: Duration::from_secs(1),
            evict_interval: Duration::from_secs(10),
            faults: Faults::default(),
        }
    }
}
