//! The coinlake command: the one-machine platform, deployment and health.

fn main() {}
