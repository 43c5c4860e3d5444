//! Fluvio connector: a topic, through SmartModules, into Parquet layers and derived topics.
