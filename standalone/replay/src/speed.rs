//! How fast a market's time runs, and by which clock.

use std::sync::Arc;
use std::time::SystemTime;

/// Tells the date and time.
pub type Now = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// How fast the market's time runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Speed {
    /// Each poll gets the next step.
    Max,
    /// So many times as fast as the clock.
    Times(f64),
}

impl std::str::FromStr for Speed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse::<f64>() {
            _ if text == "max" => Ok(Self::Max),
            Ok(times) if times.is_finite() && times > 0.0 => Ok(Self::Times(times)),
            _ => Err(format!(
                "{text:?} is not a speed: say max, or a number above 0 such as 60 (an hour a minute)"
            )),
        }
    }
}
