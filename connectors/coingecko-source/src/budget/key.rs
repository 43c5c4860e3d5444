//! What `/key` says about a paid key.

use serde::Deserialize;

use super::plan::{Limits, thousands};

/// The plan of a paid key, and what is used of it. Any of it may be missing.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct KeyUsage {
    plan: Option<String>,
    rate_limit_request_per_minute: Option<u32>,
    monthly_call_credit: Option<u64>,
    current_total_monthly_calls: Option<u64>,
    current_remaining_monthly_calls: Option<u64>,
}

impl KeyUsage {
    /// Reads a reply; none when it is something else.
    pub(crate) fn parse(body: &[u8]) -> Option<Self> {
        let usage: Self = serde_json::from_slice(body).ok()?;
        (usage != Self::default()).then_some(usage)
    }

    pub(crate) fn limits(&self) -> Limits {
        Limits {
            per_minute: self
                .rate_limit_request_per_minute
                .filter(|&calls| calls > 0),
            per_month: self.monthly_call_credit.filter(|&calls| calls > 0),
        }
    }

    /// Calls of this month that are spent.
    pub(crate) fn used(&self) -> Option<u64> {
        self.current_total_monthly_calls.or_else(|| {
            let left = self.current_remaining_monthly_calls?;
            Some(self.monthly_call_credit?.saturating_sub(left))
        })
    }

    /// One sentence.
    pub(crate) fn sentence(&self) -> String {
        let plan = self.plan.as_deref().unwrap_or("of this key");
        let plan: String = plan.chars().filter(|c| !c.is_control()).take(60).collect();
        let left = match (self.used(), self.monthly_call_credit) {
            (Some(used), Some(credit)) => format!(
                "{} of {} calls of this month are left",
                thousands(credit.saturating_sub(used)),
                thousands(credit)
            ),
            _ => "it does not say what is left of this month's calls".to_owned(),
        };
        match self.rate_limit_request_per_minute {
            Some(calls) => format!("CoinGecko plan {plan}: {left}, {calls} a minute"),
            None => format!("CoinGecko plan {plan}: {left}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_told() {
        let usage = KeyUsage::parse(
            br#"{"plan":"Basic","rate_limit_request_per_minute":250,"monthly_call_credit":100000,
                "current_total_monthly_calls":104,"current_remaining_monthly_calls":99896,"more":{}}"#,
        )
        .unwrap();
        assert_eq!(
            usage.sentence(),
            "CoinGecko plan Basic: 99,896 of 100,000 calls of this month are left, 250 a minute"
        );
        assert_eq!(usage.used(), Some(104));
        assert_eq!(usage.limits().per_month, Some(100_000));
    }

    #[test]
    fn anything_else_says_nothing() {
        for body in ["[]", "{}", "<html>", r#"{"error":"no"}"#, r#"{"plan":7}"#] {
            assert_eq!(KeyUsage::parse(body.as_bytes()), None, "{body}");
        }
        let left = KeyUsage::parse(
            br#"{"monthly_call_credit":500000,"current_remaining_monthly_calls":499990}"#,
        );
        assert_eq!(left.unwrap().used(), Some(10));
    }
}
