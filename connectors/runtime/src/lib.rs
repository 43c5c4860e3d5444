//! What every Coinlake connector shares: configuration, secrets, producer, gap-free consumer, shutdown.
