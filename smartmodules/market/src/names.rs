//! The names that a platform's parts share: topics, SmartModules and layers of the lake.

/// Names of the topics.
pub mod topic {
    /// Coin objects exactly as CoinGecko sent them.
    pub const RAW: &str = "crypto-raw";
    /// Ticks that passed every check.
    pub const CLEAN: &str = "crypto-clean";
    /// Records that failed a check, with the reason.
    pub const REJECTED: &str = "crypto-rejected";
    /// Clean ticks with windowed features.
    pub const FEATURES: &str = "crypto-features";
    /// Anomalies.
    pub const ALERTS: &str = "crypto-alerts";
    /// Predictions for each feature row.
    pub const PREDICTIONS: &str = "crypto-predictions";
    /// All of them, in the order the data takes.
    pub const ALL: [&str; 6] = [RAW, CLEAN, REJECTED, FEATURES, ALERTS, PREDICTIONS];
}

/// Names of the SmartModules.
pub mod smartmodule {
    /// Raw records in, clean ticks or rejections out.
    pub const CLEAN: &str = "crypto-clean";
    /// Clean ticks in, feature rows out.
    pub const FEATURES: &str = "crypto-features";
    /// Feature rows in, alerts out.
    pub const ANOMALY: &str = "crypto-anomaly";
    /// Feature rows in, predictions out. Holds the models.
    pub const PREDICT: &str = "crypto-predict";
    /// All of them, in the order the data takes.
    pub const ALL: [&str; 4] = [CLEAN, FEATURES, ANOMALY, PREDICT];
}

/// Names of the lake's layers.
pub mod layer {
    /// Records of `crypto-raw`.
    pub const RAW: &str = "raw";
    /// Records of `crypto-clean`.
    pub const CLEAN: &str = "clean";
    /// Records of `crypto-rejected`.
    pub const REJECTED: &str = "rejected";
    /// Records of `crypto-features`.
    pub const FEATURES: &str = "features";
    /// Records of `crypto-alerts`.
    pub const ALERTS: &str = "alerts";
    /// Records of `crypto-predictions`.
    pub const PREDICTIONS: &str = "predictions";
    /// All of them, in the order the data takes.
    pub const ALL: [&str; 6] = [RAW, CLEAN, REJECTED, FEATURES, ALERTS, PREDICTIONS];
}
