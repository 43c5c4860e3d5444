//! What connectors that speak HTTP share.

use std::time::{Duration, SystemTime};

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

/// The pause that a `Retry-After` header asks for: seconds, which some services give with a fraction, or an HTTP date (RFC 9110, 10.2.3).
/// `None` where it is neither.
///
/// ```
/// use std::time::{Duration, SystemTime};
///
/// use connector_runtime::http::retry_after;
///
/// let now = SystemTime::UNIX_EPOCH;
/// assert_eq!(retry_after("0.5", now), Some(Duration::from_millis(500)));
/// assert_eq!(retry_after("Thu, 01 Jan 1970 00:00:30 GMT", now), Some(Duration::from_secs(30)));
/// assert_eq!(retry_after("soon", now), None);
/// ```
pub fn retry_after(header: &str, now: SystemTime) -> Option<Duration> {
    let header = header.trim();
    if let Ok(seconds) = header.parse() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let date = httpdate::parse_http_date(header).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}
