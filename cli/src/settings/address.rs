//! Addresses, as settings and options spell them.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use connector_runtime::process::monitor::listen_addr;
use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};

/// Where to listen: an IP address and a port, or a port on loopback.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Address(pub(crate) SocketAddr);

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AddressVisitor;
        impl Visitor<'_> for AddressVisitor {
            type Value = Address;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an IP address and a port such as 0.0.0.0:9080, or a port on loopback")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Address, E> {
                listen_addr(text)
                    .map(Address)
                    .map_err(|_| E::invalid_value(Unexpected::Str(text), &self))
            }

            fn visit_u64<E: Error>(self, port: u64) -> Result<Address, E> {
                listen_addr(&port.to_string())
                    .map(Address)
                    .map_err(|_| E::invalid_value(Unexpected::Unsigned(port), &self))
            }
        }
        deserializer.deserialize_any(AddressVisitor)
    }
}

/// Where others connect to: `HOST:PORT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HostPort {
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl FromStr for HostPort {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.rsplit_once(':').and_then(|(host, port)| {
            let port = port.parse().ok().filter(|port| *port > 0)?;
            let host = host.trim_start_matches('[').trim_end_matches(']');
            let is_name = !host.is_empty() && !host.contains(['/', '@', ' ']);
            is_name.then(|| (host.to_owned(), port))
        });
        let (host, port) = parts.ok_or("give a host and a port such as box.example:9003")?;
        Ok(Self { host, port })
    }
}

impl<'de> Deserialize<'de> for HostPort {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|_| {
            D::Error::invalid_value(
                Unexpected::Str(&text),
                &"a host and a port such as box.example:9003",
            )
        })
    }
}

/// The name of a host alone, as a browser asks for it.
///
/// # Errors
/// A phrase that says what is accepted.
pub(crate) fn host_name(text: &str) -> Result<String, String> {
    let fits = |char: char| char.is_ascii_alphanumeric() || "-._[]:".contains(char);
    let has_port = text
        .rsplit_once(':')
        .is_some_and(|(name, _)| !name.contains(':') || name.ends_with(']'));
    match !text.is_empty() && text.chars().all(fits) && !has_port {
        true => Ok(text.to_owned()),
        false => Err(format!(
            "{text} is not the name of a host alone, such as box.example: leave out https://, a port and a path"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_allowed_by_its_name_alone() {
        for name in ["box.example", "box", "10.0.0.5", "[fd00::1]"] {
            assert_eq!(host_name(name).as_deref(), Ok(name));
        }
        for text in [
            "",
            "https://box.example",
            "box.example:443",
            "[fd00::1]:80",
            "box.example/coinlake",
            "*",
        ] {
            assert!(host_name(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_host_needs_a_port() {
        let at = |text: &str| text.parse::<HostPort>().map(|at| (at.host, at.port));
        assert_eq!(at("box.example:9003"), Ok(("box.example".to_owned(), 9003)));
        assert_eq!(at("[::1]:9003"), Ok(("::1".to_owned(), 9003)));
        for text in [
            "box",
            "box:",
            "box:0",
            ":9003",
            "http://box:9003",
            "box:99999",
        ] {
            assert!(at(text).is_err(), "{text}");
        }
    }
}
