//! Who was told what, and when somebody is told again: at most one message a coin in a window, unless it gets worse.

use std::collections::HashMap;
use std::time::Duration;

use market::Severity;

/// Coins remembered before those are forgotten whose window is over.
const COINS_MAX: usize = 10_000;

/// The last message of each coin.
#[derive(Debug)]
pub struct Cooldown {
    window: Duration,
    coins: HashMap<String, Told>,
}

#[derive(Debug)]
struct Told {
    at_ms: i64,
    severity: Severity,
    /// Alerts since then that nobody was told of.
    suppressed: u64,
}

/// What to do about an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Tell of it, and that so many were suppressed since the coin's last message.
    Tell { suppressed: u64 },
    /// Somebody was told of this coin, and of something as bad, not long ago.
    Suppress,
}

impl Cooldown {
    /// Nobody was told anything.
    pub fn new(window: Duration) -> Self {
        Self {
            window,
            coins: HashMap::new(),
        }
    }

    /// Whether to tell of an alert now; one that is suppressed is counted.
    pub fn judge(&mut self, coin: &str, severity: Severity, now_ms: i64) -> Verdict {
        let Some(told) = self.coins.get_mut(coin) else {
            return Verdict::Tell { suppressed: 0 };
        };
        if severity > told.severity || !runs(told, self.window, now_ms) {
            return Verdict::Tell {
                suppressed: told.suppressed,
            };
        }
        told.suppressed += 1;
        Verdict::Suppress
    }

    /// Somebody was told.
    pub fn told(&mut self, coin: &str, severity: Severity, now_ms: i64) {
        if self.coins.len() >= COINS_MAX {
            let window = self.window;
            self.coins.retain(|_, told| runs(told, window, now_ms));
        }
        let told = Told {
            at_ms: now_ms,
            severity,
            suppressed: 0,
        };
        self.coins.insert(coin.to_owned(), told);
    }

    /// An alert that an earlier process handled: it cannot be known whether anybody was told of this one or of one before
    /// it, so it counts as told, and as bad as the worst of them.
    pub fn handled_before(&mut self, coin: &str, severity: Severity, at_ms: i64) {
        let before = self
            .coins
            .get(coin)
            .filter(|told| runs(told, self.window, at_ms));
        let severity = before.map_or(severity, |told| told.severity.max(severity));
        self.told(coin, severity, at_ms);
    }
}

fn runs(told: &Told, window: Duration, now_ms: i64) -> bool {
    let window_ms = i64::try_from(window.as_millis()).unwrap_or(i64::MAX);
    // A clock that was set back must not silence a coin for ever.
    (0..window_ms).contains(&now_ms.saturating_sub(told.at_ms))
}

#[cfg(test)]
mod tests {
    use super::*;
    use Severity::{Critical, Info, Warning};

    const MINUTE_MS: i64 = 60_000;

    fn cooldown() -> Cooldown {
        Cooldown::new(Duration::from_secs(15 * 60))
    }

    /// Judges, and tells when that is the verdict.
    fn alert(cooldown: &mut Cooldown, coin: &str, severity: Severity, minute: i64) -> Verdict {
        let verdict = cooldown.judge(coin, severity, minute * MINUTE_MS);
        if verdict != Verdict::Suppress {
            cooldown.told(coin, severity, minute * MINUTE_MS);
        }
        verdict
    }

    #[test]
    fn one_message_a_coin_in_the_window() {
        let mut cooldown = cooldown();
        let tell = |suppressed| Verdict::Tell { suppressed };
        assert_eq!(alert(&mut cooldown, "bitcoin", Warning, 0), tell(0));
        assert_eq!(alert(&mut cooldown, "ethereum", Warning, 1), tell(0));
        for minute in 1..15 {
            let verdict = alert(&mut cooldown, "bitcoin", Warning, minute);
            assert_eq!(verdict, Verdict::Suppress, "minute {minute}");
        }
        assert_eq!(alert(&mut cooldown, "bitcoin", Warning, 15), tell(14));
        assert_eq!(
            alert(&mut cooldown, "bitcoin", Warning, 16),
            Verdict::Suppress
        );
    }

    #[test]
    fn a_rise_is_told_at_once_and_a_fall_is_not() {
        let mut cooldown = cooldown();
        let tell = |suppressed| Verdict::Tell { suppressed };
        assert_eq!(alert(&mut cooldown, "bitcoin", Info, 0), tell(0));
        assert_eq!(alert(&mut cooldown, "bitcoin", Critical, 1), tell(0));
        assert_eq!(
            alert(&mut cooldown, "bitcoin", Warning, 2),
            Verdict::Suppress
        );
        assert_eq!(
            alert(&mut cooldown, "bitcoin", Critical, 3),
            Verdict::Suppress
        );
        assert_eq!(alert(&mut cooldown, "bitcoin", Info, 17), tell(2));
    }

    #[test]
    fn what_an_earlier_process_handled_is_not_told_again() {
        let mut cooldown = cooldown();
        cooldown.handled_before("bitcoin", Critical, 0);
        cooldown.handled_before("bitcoin", Warning, 10 * MINUTE_MS);
        assert_eq!(
            alert(&mut cooldown, "bitcoin", Critical, 20),
            Verdict::Suppress
        );
        assert_ne!(
            alert(&mut cooldown, "bitcoin", Critical, 25),
            Verdict::Suppress
        );
    }

    #[test]
    fn a_clock_set_back_silences_nobody() {
        let mut cooldown = cooldown();
        cooldown.told("bitcoin", Warning, 600 * MINUTE_MS);
        assert_ne!(
            cooldown.judge("bitcoin", Warning, 500 * MINUTE_MS),
            Verdict::Suppress
        );
    }

    #[test]
    fn memory_is_bounded() {
        let mut cooldown = cooldown();
        for second in 0..30_000 {
            cooldown.told(&format!("coin-{second}"), Warning, second * 1_000);
        }
        assert!(cooldown.coins.len() <= COINS_MAX);
    }
}
