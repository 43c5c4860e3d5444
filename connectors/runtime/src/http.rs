//! What connectors that speak HTTP share.

use url::{Host, Url};

/// Whether an address is on this machine: it is reached without a proxy, and without encryption at no risk.
///
/// ```
/// use connector_runtime::http::is_loopback;
///
/// let at = |url: &str| is_loopback(&url.parse().unwrap());
/// assert!(at("http://localhost:8080") && at("http://127.0.0.1") && at("http://[::1]:1"));
/// assert!(!at("https://api.coingecko.com"));
/// ```
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
