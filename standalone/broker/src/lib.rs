//! The one-machine broker: one process that speaks Fluvio's protocol.
