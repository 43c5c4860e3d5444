//! SmartModule: cleans raw ticks and rejects bad ones.
