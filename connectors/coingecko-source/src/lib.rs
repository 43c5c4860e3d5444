//! Fluvio connector: CoinGecko market data into a topic.
