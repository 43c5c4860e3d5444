//! Where the platform listens by default.

/// The broker; its port is that of Fluvio's SC.
pub(crate) const DEFAULT_BROKER_LISTEN: &str = "127.0.0.1:9003";

/// The web console.
pub(crate) const DEFAULT_CONSOLE_LISTEN: &str = "127.0.0.1:9080";
