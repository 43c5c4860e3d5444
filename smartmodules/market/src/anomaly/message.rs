//! What an alert says to people.

use std::fmt;

use super::alert::Kinds;
use crate::features::BASELINE_SAMPLES;
use crate::rows::WindowFeatures;

/// The significant digits of a price in a message. The record has all of them.
const PRICE_DIGITS: i32 = 6;

/// `XRP fell to $0.6715, 1.2 % and 4.0σ below its 15-minute average`. What rules found stands at the end.
pub(super) fn message(
    symbol: &str,
    price: Price<'_>,
    kinds: Kinds,
    windows: &WindowFeatures,
    rules: impl Iterator<Item = String>,
) -> String {
    let symbol = symbol.to_ascii_uppercase();
    let mut phrases = phrases(kinds, windows);
    phrases.extend(rules);
    let phrases = phrases.join("; ");
    let moved = match kinds {
        Kinds {
            price_spike: true, ..
        } => windows.move_15m,
        Kinds {
            price_move: true, ..
        } => windows.return_15m,
        _ => None,
    };
    match moved {
        Some(moved) if moved > 0.0 => format!("{symbol} rose to {price}, {phrases}"),
        Some(_) => format!("{symbol} fell to {price}, {phrases}"),
        None => format!("{symbol} at {price}: {phrases}"),
    }
}

fn phrases(kinds: Kinds, windows: &WindowFeatures) -> Vec<String> {
    let mut phrases = Vec::new();
    if kinds.price_spike {
        let moved = windows.move_15m.unwrap_or_default();
        phrases.push(format!(
            "{:.1} % and {:.1}σ {} its {}",
            moved.abs() * 100.0,
            windows.zscore_15m.unwrap_or_default().abs(),
            if moved > 0.0 { "above" } else { "below" },
            average(windows),
        ));
    }
    if kinds.price_move {
        let moved = windows.return_15m.unwrap_or_default();
        phrases.push(format!(
            "{} {:.1} % or {:.1}σ in 15 minutes",
            if moved > 0.0 { "up" } else { "down" },
            moved.abs() * 100.0,
            windows.return_zscore_15m.unwrap_or_default().abs(),
        ));
    }
    if kinds.volume_spike {
        let surge = windows.volume_surge.unwrap_or_default();
        let ratio = windows.volume_ratio.unwrap_or_default();
        phrases.push(if surge >= ratio {
            format!("volume {surge:.1} times its daily average")
        } else {
            format!("24-hour volume {ratio:.1} times its {}", average(windows))
        });
    }
    phrases
}

/// What the baseline is called. Where 15 minutes have too few ticks, it goes up to an hour back.
fn average(windows: &WindowFeatures) -> &'static str {
    // The tick itself is counted and not part of it.
    match windows.samples_15m {
        Some(samples) if samples as usize <= BASELINE_SAMPLES => "recent average",
        _ => "15-minute average",
    }
}

/// A price as people write it: `$0.6715`, `0.62 EUR`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Price<'a> {
    pub(super) amount: f64,
    /// Upper case, as in `USD`.
    pub(super) currency: &'a str,
}

impl fmt::Display for Price<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let amount = rounded(self.amount);
        match self.currency {
            "USD" => write!(f, "${amount}"),
            currency => write!(f, "{amount} {currency}"),
        }
    }
}

/// A positive number with at most [`PRICE_DIGITS`] significant digits, but with all its whole ones.
fn rounded(amount: f64) -> f64 {
    let digits = PRICE_DIGITS - 1;
    let decimals = (0..=30).find(|&decimals| amount * 10f64.powi(decimals) >= 10f64.powi(digits));
    let text = format!(
        "{amount:.*}",
        decimals.unwrap_or(30).unsigned_abs() as usize
    );
    text.parse().unwrap_or(amount)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn price(amount: f64) -> Price<'static> {
        Price {
            amount,
            currency: "USD",
        }
    }

    #[test]
    fn a_message_says_what_happened_and_by_how_much() {
        let windows = WindowFeatures {
            zscore_15m: Some(-4.0),
            move_15m: Some(-0.012),
            return_15m: Some(0.051),
            return_zscore_15m: Some(9.5),
            volume_surge: Some(9.0),
            volume_ratio: Some(4.0),
            ..WindowFeatures::default()
        };
        let said = |kinds: Kinds, rules: &[&str]| {
            let rules = rules.iter().map(|&rule| rule.to_owned());
            message("xrp", price(0.6715), kinds, &windows, rules)
        };
        let (none, price_spike) = (Kinds::default(), true);
        assert_eq!(
            said(
                Kinds {
                    price_spike,
                    ..none
                },
                &[]
            ),
            "XRP fell to $0.6715, 1.2 % and 4.0σ below its 15-minute average"
        );
        let price_move = true;
        assert_eq!(
            said(Kinds { price_move, ..none }, &[]),
            "XRP rose to $0.6715, up 5.1 % or 9.5σ in 15 minutes"
        );
        let volume_spike = true;
        assert_eq!(
            said(
                Kinds {
                    volume_spike,
                    ..none
                },
                &[]
            ),
            "XRP at $0.6715: volume 9.0 times its daily average"
        );
        assert_eq!(
            said(
                Kinds {
                    price_spike,
                    price_move,
                    volume_spike
                },
                &["rule low: price < 1 (price 0.6715)"]
            ),
            "XRP fell to $0.6715, 1.2 % and 4.0σ below its 15-minute average; up 5.1 % or 9.5σ in 15 minutes; \
             volume 9.0 times its daily average; rule low: price < 1 (price 0.6715)"
        );
        assert_eq!(said(none, &["rule low"]), "XRP at $0.6715: rule low");
    }

    #[test]
    fn an_average_of_more_than_15_minutes_is_not_called_that() {
        let kinds = Kinds {
            price_spike: true,
            volume_spike: true,
            ..Kinds::default()
        };
        // Polled every five minutes, then every minute.
        for (samples, average) in [
            (3, "recent"),
            (8, "recent"),
            (9, "15-minute"),
            (15, "15-minute"),
        ] {
            let windows = WindowFeatures {
                samples_15m: Some(samples),
                zscore_15m: Some(4.0),
                move_15m: Some(0.012),
                volume_ratio: Some(4.0),
                ..WindowFeatures::default()
            };
            assert_eq!(
                message("xrp", price(1.0), kinds, &windows, [].into_iter()),
                format!(
                    "XRP rose to $1, 1.2 % and 4.0σ above its {average} average; 24-hour volume 4.0 times its {average} average"
                )
            );
        }
    }

    #[test]
    fn a_price_has_six_digits_and_its_currency() {
        for (amount, text) in [
            (64_123.456_789, "$64123.5"),
            (1_234_567.8, "$1234568"),
            (0.671_523_498, "$0.671523"),
            (1.0, "$1"),
            (2.2e-7, "$0.00000022"),
            (1.234_567_89e-12, "$0.00000000000123457"),
            (f64::MIN_POSITIVE, "$0"),
        ] {
            assert_eq!(price(amount).to_string(), text, "{amount:?}");
        }
        let currency = "EUR";
        assert_eq!(
            Price {
                amount: 1.5,
                currency
            }
            .to_string(),
            "1.5 EUR"
        );
    }
}
