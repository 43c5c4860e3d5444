//! Protects the console against other web sites.
//!
//! - The page may load only its own scripts and styles, and talk only to its own console. A coin's name cannot change that.
//! - A console on loopback serves only requests for a loopback host. Otherwise another web site could make its own name
//!   resolve to 127.0.0.1 and read this console through a visitor's browser (DNS rebinding).

use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Which hosts a console serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hosts {
    /// Only localhost, 127.0.0.1 and \[::1\].
    Loopback,
    /// Any: the operator chose an address on a network.
    Any,
}

/// Refuses hosts that are not served, and adds security headers to every answer.
pub(crate) async fn guard(State(hosts): State<Hosts>, request: Request, next: Next) -> Response {
    let mut response = if hosts == Hosts::Any || is_loopback(request.headers()) {
        next.run(request).await
    } else {
        let message = "this console serves only localhost, 127.0.0.1 and [::1]; start it with --listen on another address to serve others";
        (StatusCode::MISDIRECTED_REQUEST, message).into_response()
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
    // Scripts change with the binary, everything else with the market.
    set(CACHE_CONTROL, "no-store");
    response
}

fn is_loopback(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(HOST).and_then(|host| host.to_str().ok()) else {
        return false;
    };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    ["localhost", "127.0.0.1", "[::1]"].contains(&name.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asks_for(host: &'static str) -> bool {
        let headers = HeaderMap::from_iter([(HOST, HeaderValue::from_static(host))]);
        is_loopback(&headers)
    }

    #[test]
    fn only_loopback_hosts_are_loopback() {
        for host in [
            "localhost",
            "localhost:9080",
            "LOCALHOST:1",
            "127.0.0.1:80",
            "[::1]:9080",
            "[::1]",
        ] {
            assert!(asks_for(host), "{host}");
        }
        for host in [
            "evil.example",
            "evil.example:9080",
            "127.0.0.1.evil.example",
            "localhost.evil.example:1",
            "",
        ] {
            assert!(!asks_for(host), "{host}");
        }
        assert!(!is_loopback(&HeaderMap::new()));
    }
}
