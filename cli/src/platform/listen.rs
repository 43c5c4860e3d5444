//! Where the platform listens by default.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// The broker; its port is that of Fluvio's SC.
pub(crate) const DEFAULT_BROKER_LISTEN: SocketAddr = loopback(9003);

/// The web console.
pub(crate) const DEFAULT_CONSOLE_LISTEN: SocketAddr = loopback(9080);

/// A port that clients on this machine reach; 0 is any free one.
pub(crate) const fn loopback(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}
