//! The one SPU: the broker itself, at the address the client reached it by.

use std::net::SocketAddr;

use fluvio_controlplane_metadata::spu::{Endpoint, IngressAddr, IngressPort, SpuStatus, SpuType};
use fluvio_sc_schema::objects::Metadata;
use fluvio_sc_schema::spu::SpuSpec;

/// The id a local Fluvio cluster gives its first SPU.
pub(crate) const SPU_ID: i32 = 5001;

/// The SPU as seen by a client that should connect to `host`:`port`.
pub(crate) fn spu(host: String, port: u16) -> Metadata<SpuSpec> {
    let mut status = SpuStatus::default();
    status.set_online();
    Metadata {
        name: format!("custom-spu-{SPU_ID}"),
        spec: SpuSpec {
            id: SPU_ID,
            spu_type: SpuType::Custom,
            public_endpoint: IngressPort {
                port,
                ingress: vec![IngressAddr::from_host(host.clone())],
                ..Default::default()
            },
            private_endpoint: Endpoint {
                port,
                host,
                ..Default::default()
            },
            ..Default::default()
        },
        status,
    }
}

/// Host and port of an address, the host as it is written in `host:port`.
pub(crate) fn host_port(addr: SocketAddr) -> (String, u16) {
    match addr {
        SocketAddr::V4(addr) => (addr.ip().to_string(), addr.port()),
        SocketAddr::V6(addr) => (format!("[{}]", addr.ip()), addr.port()),
    }
}
