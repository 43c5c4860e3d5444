//! SmartModule: finds price and volume anomalies.
