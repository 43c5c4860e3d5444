//! The plans of CoinGecko's keys: what each allows, and which poll interval suits it.

use std::time::Duration;

use serde::Deserialize;

const MINUTE: Duration = Duration::from_secs(60);
/// The longest month, which is what a plan's calls have to last for.
const MONTH: Duration = Duration::from_secs(31 * 24 * 3_600);

/// The kinds of CoinGecko keys.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyPlan {
    /// The free key.
    #[default]
    Demo,
    /// Any paid key.
    Pro,
}

impl KeyPlan {
    /// The header that carries the key.
    pub(crate) fn header(self) -> &'static str {
        match self {
            Self::Demo => "x-cg-demo-api-key",
            Self::Pro => "x-cg-pro-api-key",
        }
    }

    pub(crate) fn base_url(self) -> &'static str {
        match self {
            Self::Demo => "https://api.coingecko.com/api/v3",
            Self::Pro => "https://pro-api.coingecko.com/api/v3",
        }
    }
}

impl std::fmt::Display for KeyPlan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Demo => "demo",
            Self::Pro => "pro",
        })
    }
}

/// Calls that CoinGecko allows; `None` is no known limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Limits {
    pub per_minute: Option<u32>,
    pub per_month: Option<u64>,
}

impl Limits {
    /// The limits of a key's plan, or of an address without a key.
    pub(crate) fn of(key: Option<KeyPlan>) -> Self {
        match key {
            None => Self {
                per_minute: Some(5),
                per_month: None,
            },
            Some(KeyPlan::Demo) => Self {
                per_minute: Some(30),
                per_month: Some(10_000),
            },
            // The smallest plan's; `/key` says what this one has.
            Some(KeyPlan::Pro) => Self {
                per_minute: Some(250),
                per_month: None,
            },
        }
    }

    /// These, and the others where these say nothing.
    pub(crate) fn or(self, other: Self) -> Self {
        Self {
            per_minute: self.per_minute.or(other.per_minute),
            per_month: self.per_month.or(other.per_month),
        }
    }

    /// The poll interval, in whole minutes, that keeps polls of so many calls inside the limits. A tenth of a month's
    /// calls is for retries, restarts and history: 300 s for a free key and one call.
    pub(crate) fn poll_interval(self, calls_per_poll: usize) -> Duration {
        let calls = calls_per_poll as u64;
        let of_minute = |limit: u32| calls.div_ceil(u64::from(limit.max(1)));
        let of_month = |limit: u64| {
            (calls * MONTH.as_secs() * 10).div_ceil(limit.max(1) * 9 * MINUTE.as_secs())
        };
        let minutes = [
            self.per_minute.map_or(1, of_minute),
            self.per_month.map_or(1, of_month),
        ];
        Duration::from_secs(60 * minutes.into_iter().max().unwrap_or(1))
    }
}

/// What polling costs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    pub calls_per_poll: usize,
    pub interval: Duration,
}

impl Cost {
    /// Calls in 31 days; none when the interval is zero.
    pub(crate) fn per_month(self) -> Option<u64> {
        let polls = MONTH.as_millis().checked_div(self.interval.as_millis())?;
        Some(polls as u64 * self.calls_per_poll as u64)
    }

    /// What polling costs of a month's calls, and how to change it; the flag says that they do not last.
    pub(crate) fn of_month(self, limit: u64) -> (bool, String) {
        let interval = self.interval.as_secs_f64();
        let Some(calls) = self.per_month() else {
            return (
                true,
                format!(
                    "polling without a pause spends the {} calls of a month in no time: set coingecko.poll_interval",
                    thousands(limit)
                ),
            );
        };
        let cost = format!(
            "polling every {interval} s takes {} calls in 31 days, and the plan has {} a month",
            thousands(calls),
            thousands(limit)
        );
        if calls <= limit {
            let change = "coingecko.poll_interval, coingecko.top and coingecko.ids change that";
            return (
                false,
                format!("{cost}: the rest is for retries and restarts; {change}"),
            );
        }
        let days = limit as f64 * 31.0 / calls as f64;
        let lasting =
            (MONTH.as_secs_f64() * self.calls_per_poll as f64 / limit.max(1) as f64).ceil();
        (
            true,
            format!(
                "{cost}: they last {days:.1} days. Set coingecko.poll_interval to {lasting}s or more, ask for fewer coins \
                 (250 a call), or set coingecko.calls_per_month if the plan has more"
            ),
        )
    }
}

/// A number with commas between its thousands.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_interval_makes_the_month_last() {
        for calls_per_poll in 1..20 {
            for key in [None, Some(KeyPlan::Demo), Some(KeyPlan::Pro)] {
                let limits = Limits::of(key);
                let interval = limits.poll_interval(calls_per_poll);
                let cost = Cost {
                    calls_per_poll,
                    interval,
                };
                if let Some(limit) = limits.per_month {
                    let (too_much, text) = cost.of_month(limit);
                    assert!(!too_much, "{text}");
                }
                let a_minute = calls_per_poll as f64 / (interval.as_secs_f64() / 60.0);
                assert!(a_minute <= f64::from(limits.per_minute.unwrap()));
            }
        }
        let interval = |key| Limits::of(key).poll_interval(1).as_secs();
        assert_eq!(
            (
                interval(None),
                interval(Some(KeyPlan::Demo)),
                interval(Some(KeyPlan::Pro))
            ),
            (60, 300, 60)
        );
    }

    #[test]
    fn the_cost_is_told_with_its_arithmetic() {
        let cost = |secs, calls_per_poll| {
            let interval = Duration::from_secs(secs);
            Cost {
                calls_per_poll,
                interval,
            }
            .of_month(10_000)
        };
        assert_eq!(
            cost(300, 1),
            (
                false,
                "polling every 300 s takes 8,928 calls in 31 days, and the plan has 10,000 a month: the rest is for \
                 retries and restarts; coingecko.poll_interval, coingecko.top and coingecko.ids change that"
                    .to_owned()
            )
        );
        let (too_much, text) = cost(60, 1);
        assert!(too_much);
        for part in [
            "44,640 calls",
            "last 6.9 days",
            "poll_interval to 268s",
            "calls_per_month",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(cost(30, 2).1.contains("178,560 calls"));
        assert!(cost(0, 1).0);
    }

    #[test]
    fn thousands_are_set_apart() {
        let texts = [0, 999, 1_000, 10_000, 1_234_567].map(thousands);
        assert_eq!(texts, ["0", "999", "1,000", "10,000", "1,234,567"]);
    }
}
