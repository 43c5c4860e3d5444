//! Markets to replay: recordings, a made-up market with known truth, and the HTTP server that answers from them as CoinGecko does.
