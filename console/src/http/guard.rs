//! Protects the console against other web sites.
//!
//! - The page may load only its own scripts and styles, and talk only to its own console. A coin's name cannot change that.
//! - A console on loopback serves only requests for a loopback host, and for names that its owner has allowed. Otherwise another web site
//!   could make its own name resolve to 127.0.0.1 and read this console through a visitor's browser (DNS rebinding).
//! - Only the console's own page changes anything, or a program on this machine: browsers name the page that a change comes from.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, ORIGIN, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Which hosts a console serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Hosts {
    /// Localhost, every loopback address and these, in lower case.
    Named(Arc<[String]>),
    /// Any: the operator chose an address on a network, and named none.
    Any,
}

impl Hosts {
    /// The hosts of a console that listens on an address of this machine.
    pub(crate) fn new(listen: IpAddr, allowed: Vec<String>) -> Self {
        match !listen.is_loopback() && allowed.is_empty() {
            true => Self::Any,
            false => Self::Named(
                allowed
                    .iter()
                    .map(|name| name.to_ascii_lowercase())
                    .collect(),
            ),
        }
    }

    fn serves(&self, headers: &HeaderMap) -> bool {
        match self {
            Self::Any => true,
            Self::Named(_) => authority(headers, HOST).is_some_and(|host| self.names(host)),
        }
    }

    /// Whether a host is this machine or has been allowed by name.
    fn names(&self, authority: &str) -> bool {
        let name = name_of(authority).to_ascii_lowercase();
        let allowed = match self {
            Self::Named(names) => names.contains(&name),
            Self::Any => false,
        };
        allowed || is_loopback(&name)
    }

    /// Whether a change comes from the console's own page, or from a program on this machine.
    fn may_change(&self, headers: &HeaderMap) -> bool {
        let Some(host) = authority(headers, HOST) else {
            return false;
        };
        let Some(origin) = authority(headers, ORIGIN) else {
            // No browser: they always say it.
            return is_loopback(&name_of(host).to_ascii_lowercase());
        };
        let origin = origin
            .split_once("://")
            .map_or(origin, |(_, authority)| authority);
        // A proxy may call the console by another name than its readers do.
        let is_proxy = !is_loopback(&name_of(origin).to_ascii_lowercase()) && self.names(origin);
        origin.eq_ignore_ascii_case(host) || is_proxy
    }
}

/// Refuses hosts that are not served and changes from elsewhere, and adds security headers to every answer.
pub(crate) async fn guard(State(hosts): State<Hosts>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let reads = [Method::GET, Method::HEAD].contains(request.method());
    let mut response = if !hosts.serves(headers) {
        (StatusCode::MISDIRECTED_REQUEST, unserved(headers)).into_response()
    } else if !reads && !hosts.may_change(headers) {
        let message = "changes are taken from the console's own page only; a proxy's name must be among console.allowed_hosts";
        (StatusCode::FORBIDDEN, message).into_response()
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value| headers.insert(name, HeaderValue::from_static(value));
    set(CONTENT_SECURITY_POLICY, POLICY);
    set(X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(REFERRER_POLICY, "no-referrer");
    set(
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    );
    set(
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    );
    // The market changes; the page's files have a name for each release, and say so.
    headers
        .entry(CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}

fn unserved(headers: &HeaderMap) -> String {
    let host = authority(headers, HOST).map_or("a host without a name", name_of);
    format!(
        "this console serves only localhost, loopback addresses and the hosts it is told to, not {host}: behind a proxy, name that \
         host in console.allowed_hosts of coinlake.yaml, or with --allow-host of `coinlake console`\n"
    )
}

fn authority(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// A host without its port.
fn name_of(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => authority,
    }
}

fn is_loopback(name: &str) -> bool {
    // An address, unlike a name, leads nowhere else.
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name == "localhost" || (address.parse::<IpAddr>()).is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn headers(list: &[(HeaderName, &'static str)]) -> HeaderMap {
        let list = list.iter().cloned();
        HeaderMap::from_iter(list.map(|(name, value)| (name, HeaderValue::from_static(value))))
    }

    fn hosts(listen: Ipv4Addr, allowed: &[&str]) -> Hosts {
        Hosts::new(
            listen.into(),
            allowed.iter().map(|&name| name.to_owned()).collect(),
        )
    }

    #[test]
    fn a_console_on_loopback_serves_loopback_and_what_is_allowed() {
        let serves = |hosts: &Hosts, host| hosts.serves(&headers(&[(HOST, host)]));
        let own = hosts(Ipv4Addr::LOCALHOST, &[]);
        let proxied = hosts(Ipv4Addr::LOCALHOST, &["Box.example"]);
        for host in [
            "localhost",
            "localhost:9080",
            "LOCALHOST:1",
            "127.0.0.1:80",
            "127.0.0.2:9080",
            "[::1]:9080",
            "[::1]",
        ] {
            assert!(serves(&own, host) && serves(&proxied, host), "{host}");
        }
        for host in [
            "evil.example",
            "evil.example:9080",
            "127.0.0.1.evil.example",
            "localhost.evil.example:1",
            "",
        ] {
            assert!(!serves(&own, host) && !serves(&proxied, host), "{host}");
        }
        assert!(!own.serves(&HeaderMap::new()));
        assert!(serves(&proxied, "box.example:443") && !serves(&own, "box.example"));
        let network = hosts(Ipv4Addr::UNSPECIFIED, &[]);
        assert!(serves(&network, "anything.example"));
        let network = hosts(Ipv4Addr::UNSPECIFIED, &["box.example"]);
        assert!(serves(&network, "box.example") && !serves(&network, "anything.example"));
    }

    #[test]
    fn only_the_own_page_and_this_machine_change_anything() {
        let proxied = hosts(Ipv4Addr::LOCALHOST, &["box.example"]);
        let network = hosts(Ipv4Addr::UNSPECIFIED, &[]);
        for (host, origin, may) in [
            ("127.0.0.1:9080", Some("http://127.0.0.1:9080"), true),
            ("127.0.0.1:9080", Some("http://127.0.0.1:3000"), false),
            ("localhost:9080", Some("http://127.0.0.1:9080"), false),
            ("127.0.0.1:9080", Some("https://evil.example"), false),
            ("127.0.0.1:9080", Some("null"), false),
            ("127.0.0.1:9080", Some("https://box.example"), true),
            ("127.0.0.1:9080", None, true),
            ("127.0.0.2:9080", Some("http://127.0.0.2:9080"), true),
            ("127.0.0.2:9080", Some("http://127.0.0.2:3000"), false),
            ("box.example", None, false),
        ] {
            let mut list = vec![(HOST, host)];
            list.extend(origin.map(|origin| (ORIGIN, origin)));
            assert_eq!(
                proxied.may_change(&headers(&list)),
                may,
                "{host} {origin:?}"
            );
        }
        let from = |origin| headers(&[(HOST, "10.0.0.5:9080"), (ORIGIN, origin)]);
        assert!(network.may_change(&from("http://10.0.0.5:9080")));
        assert!(!network.may_change(&from("http://evil.example")));
    }
}
