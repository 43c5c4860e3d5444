//! Who was told what, and when somebody is told again: at most one message a subject in its window, unless it gets worse: the
//! severity rises, or a coin's price has gone as far again as when somebody was last told.

use std::collections::HashMap;
use std::time::Duration;

use market::{Episodes, News, Severity, Sighting};

use crate::subject::Subject;

/// Subjects remembered before those are forgotten whose window is over.
const SUBJECTS_MAX: usize = 10_000;

/// The last message of each subject.
#[derive(Debug, Default)]
pub(crate) struct Cooldown {
    subjects: HashMap<Subject, Told>,
}

#[derive(Debug)]
struct Told {
    at_ms: i64,
    window: Duration,
    severity: Severity,
    episodes: Episodes,
    /// Alerts since then that nobody was told of.
    suppressed: u64,
}

/// What to do about an alert.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Verdict {
    /// Tell of it because of these subjects, and that so many alerts of them were suppressed since their last messages.
    Tell {
        subjects: Vec<(Subject, Sighting)>,
        suppressed: u64,
    },
    /// Somebody was told of all its subjects, and of something as bad, not long ago.
    Suppress,
}

impl Cooldown {
    /// Whether to tell of an alert now, by each of its subjects; what is suppressed is counted.
    pub(crate) fn judge(&mut self, subjects: Vec<(Subject, Sighting)>, now_ms: i64) -> Verdict {
        let mut suppressed = 0;
        let calls_for_a_message = |(subject, alert): &(Subject, Sighting)| {
            let Some(told) = self.subjects.get_mut(subject) else {
                return true;
            };
            let news = told.episodes.take(alert);
            // How often a rule is told is its `repeat`, wherever the price goes.
            let is_as_far_again = subject.rule.is_none() && news == Some(News::AsFarAgain);
            if alert.severity > told.severity || is_as_far_again || !runs(told, now_ms) {
                suppressed += told.suppressed;
                return true;
            }
            told.suppressed += 1;
            false
        };
        let subjects: Vec<_> = subjects.into_iter().filter(calls_for_a_message).collect();
        match subjects.is_empty() {
            true => Verdict::Suppress,
            false => Verdict::Tell {
                subjects,
                suppressed,
            },
        }
    }

    /// Somebody was told, and will not be told of it again in this window.
    pub(crate) fn told(
        &mut self,
        subject: Subject,
        window: Duration,
        alert: &Sighting,
        now_ms: i64,
    ) {
        self.tell(subject, window, alert, alert.severity, now_ms);
    }

    fn tell(
        &mut self,
        subject: Subject,
        window: Duration,
        alert: &Sighting,
        severity: Severity,
        now_ms: i64,
    ) {
        if self.subjects.len() >= SUBJECTS_MAX {
            self.subjects.retain(|_, told| runs(told, now_ms));
        }
        let before = self.subjects.get(&subject);
        let mut episodes = before.map_or_else(Episodes::default, |told| told.episodes);
        episodes.take(alert);
        let told = Told {
            at_ms: now_ms,
            window,
            severity,
            episodes,
            suppressed: 0,
        };
        self.subjects.insert(subject, told);
    }

    /// An alert that an earlier process handled: it cannot be known whether anybody was told of this one or of one before
    /// it, so it counts as told, and as bad as the worst of them.
    pub(crate) fn handled_before(
        &mut self,
        subject: Subject,
        window: Duration,
        alert: &Sighting,
        at_ms: i64,
    ) {
        let before = self.subjects.get(&subject).filter(|told| runs(told, at_ms));
        let severity = before.map_or(alert.severity, |told| told.severity.max(alert.severity));
        self.tell(subject, window, alert, severity, at_ms);
    }
}

fn runs(told: &Told, now_ms: i64) -> bool {
    let window_ms = i64::try_from(told.window.as_millis()).unwrap_or(i64::MAX);
    // A clock that was set back must not silence a subject for ever.
    (0..window_ms).contains(&now_ms.saturating_sub(told.at_ms))
}

#[cfg(test)]
mod tests {
    use connector_runtime::record::Record;
    use market::Rules;
    use serde_json::json;

    use super::*;
    use crate::alert::Alert;
    use Severity::{Critical, Info, Warning};

    const MINUTE_MS: i64 = 60_000;
    const WINDOW: Duration = Duration::from_mins(15);

    fn coin(coin: &str) -> Subject {
        Subject {
            coin: coin.to_owned(),
            rule: None,
        }
    }

    fn rule(rule: &str, coin: &str) -> Subject {
        Subject {
            coin: coin.to_owned(),
            rule: Some(rule.to_owned()),
        }
    }

    /// Judges, and tells when that is the verdict. Says how many were suppressed since the last message if so.
    fn alert_of(
        cooldown: &mut Cooldown,
        subjects: &[Subject],
        severity: Severity,
        minute: i64,
    ) -> Option<u64> {
        alert_at(cooldown, subjects, &sighting(severity, minute), minute)
    }

    /// A price that stays where it is.
    fn sighting(severity: Severity, minute: i64) -> Sighting {
        Sighting {
            event_time: minute * MINUTE_MS,
            price: 100.0,
            severity,
            moved: 0.0,
        }
    }

    fn alert_at(
        cooldown: &mut Cooldown,
        subjects: &[Subject],
        alert: &Sighting,
        minute: i64,
    ) -> Option<u64> {
        let subjects = subjects.iter().map(|subject| (subject.clone(), *alert));
        alert_by(cooldown, subjects.collect(), minute)
    }

    fn alert_by(
        cooldown: &mut Cooldown,
        subjects: Vec<(Subject, Sighting)>,
        minute: i64,
    ) -> Option<u64> {
        let now_ms = minute * MINUTE_MS;
        match cooldown.judge(subjects, now_ms) {
            Verdict::Tell {
                subjects,
                suppressed,
            } => {
                for (subject, alert) in subjects {
                    let window = match &subject.rule {
                        Some(_) => Duration::from_hours(1),
                        None => WINDOW,
                    };
                    cooldown.told(subject, window, &alert, now_ms);
                }
                Some(suppressed)
            }
            Verdict::Suppress => None,
        }
    }

    fn alert(cooldown: &mut Cooldown, of: &str, severity: Severity, minute: i64) -> Option<u64> {
        alert_of(cooldown, &[coin(of)], severity, minute)
    }

    #[test]
    fn one_message_a_coin_in_the_window() {
        let mut cooldown = Cooldown::default();
        assert_eq!(alert(&mut cooldown, "bitcoin", Warning, 0), Some(0));
        assert_eq!(alert(&mut cooldown, "ethereum", Warning, 1), Some(0));
        for minute in 1..15 {
            let told = alert(&mut cooldown, "bitcoin", Warning, minute);
            assert_eq!(told, None, "minute {minute}");
        }
        assert_eq!(alert(&mut cooldown, "bitcoin", Warning, 15), Some(14));
        assert_eq!(alert(&mut cooldown, "bitcoin", Warning, 16), None);
    }

    #[test]
    fn a_rise_is_told_at_once_and_a_fall_is_not() {
        let mut cooldown = Cooldown::default();
        assert_eq!(alert(&mut cooldown, "bitcoin", Info, 0), Some(0));
        assert_eq!(alert(&mut cooldown, "bitcoin", Critical, 1), Some(0));
        assert_eq!(alert(&mut cooldown, "bitcoin", Warning, 2), None);
        assert_eq!(alert(&mut cooldown, "bitcoin", Critical, 3), None);
        assert_eq!(alert(&mut cooldown, "bitcoin", Info, 17), Some(2));
    }

    /// Users of other alerting tools complain that a crash goes on and nobody is told again.
    #[test]
    fn a_crash_is_told_again_each_time_it_has_gone_as_far_again() {
        let fallen_to = |minute, price: f64| Sighting {
            price,
            moved: price / 100.0 - 1.0,
            ..sighting(Critical, minute)
        };
        let crash = [(0, 95.0), (1, 93.0), (2, 90.0), (3, 89.0), (9, 80.0)];
        let told = |cooldown: &mut Cooldown, subject: Subject| {
            let news = |(minute, price)| {
                let alert = fallen_to(minute, price);
                alert_at(cooldown, std::slice::from_ref(&subject), &alert, minute)
            };
            crash.map(news)
        };
        let mut cooldown = Cooldown::default();
        assert_eq!(
            told(&mut cooldown, coin("bitcoin")),
            [Some(0), None, Some(1), None, Some(1)],
            "at 5, 10 and 20 %"
        );
        assert_eq!(
            told(&mut cooldown, rule("mine", "bitcoin")),
            [Some(0), None, None, None, None],
            "a rule is told in its time"
        );
        // After a restart, too: what was handled counts as told.
        let mut cooldown = Cooldown::default();
        for (minute, price) in &crash[..2] {
            let (alert, at_ms) = (fallen_to(*minute, *price), minute * MINUTE_MS);
            cooldown.handled_before(coin("bitcoin"), WINDOW, &alert, at_ms);
        }
        let mut news = |minute, price| {
            let alert = fallen_to(minute, price);
            alert_at(&mut cooldown, &[coin("bitcoin")], &alert, minute)
        };
        assert_eq!((news(2, 91.0), news(3, 90.0)), (None, Some(1)));
    }

    /// Users of other alerting tools complain of a message every quarter of an hour about such a price.
    #[test]
    fn a_price_that_swings_about_a_limit_for_a_day_is_told_once_an_hour() {
        const DAY: i64 = 24 * 60;
        let mut cooldown = Cooldown::default();
        let swings = rule("btc-60k", "bitcoin");
        let mut told = Vec::new();
        for minute in (0..DAY).step_by(2) {
            if let Some(held) = alert_of(
                &mut cooldown,
                std::slice::from_ref(&swings),
                Critical,
                minute,
            ) {
                told.push((minute, held));
            }
            // Whatever else there is to tell is told.
            let own = format!("other-{minute}");
            for other in [rule(&own, "bitcoin"), rule("btc-60k", &own), coin(&own)] {
                let both = [swings.clone(), other];
                assert_eq!(
                    alert_of(&mut cooldown, &both[1..], Warning, minute),
                    Some(0)
                );
            }
        }
        let expected: Vec<_> = (0..24)
            .map(|hour| (hour * 60, if hour == 0 { 0 } else { 29 }))
            .collect();
        assert_eq!(told, expected);
    }

    #[test]
    fn an_alert_of_several_subjects_is_told_if_one_calls_for_it() {
        let mut cooldown = Cooldown::default();
        let (built_in, mine) = (coin("bitcoin"), rule("mine", "bitcoin"));
        let both = [built_in.clone(), mine.clone()];
        assert_eq!(alert_of(&mut cooldown, &[mine], Warning, 0), Some(0));
        assert_eq!(
            alert_of(&mut cooldown, &both, Warning, 1),
            Some(0),
            "the built-in kinds are new"
        );
        assert_eq!(alert_of(&mut cooldown, &both, Warning, 2), None);
        assert_eq!(
            alert_of(&mut cooldown, &both, Warning, 16),
            Some(1),
            "their window is over"
        );
        assert_eq!(
            alert_of(&mut cooldown, &both[1..], Warning, 60),
            Some(3),
            "the rule's is"
        );
    }

    /// An alert of these kinds, as crypto-anomaly raises it.
    fn raised(kinds: &[&str], severity: &str, score: f64, minute: i64) -> Vec<(Subject, Sighting)> {
        let rules = json!([
            {"name": "calm", "when": "abs(return_15m) < 0.001", "severity": "info", "repeat": "6h"},
            {"name": "crash", "when": "return_15m < -0.1", "severity": "critical"},
        ]);
        let rules = Rules::parse(&rules.to_string()).unwrap();
        let event_time = minute * MINUTE_MS;
        let alert = json!({"alert_id": "bitcoin:0", "coin": "bitcoin", "event_time": event_time, "price": 100,
            "severity": severity, "score": score, "kinds": kinds, "message": "m"});
        let alert = Alert::read(&Record {
            offset: 0,
            timestamp_ms: event_time,
            key: None,
            value: alert.to_string().into(),
        });
        Subject::all_of(&alert.unwrap(), &rules)
    }

    /// Whether an alert of these kinds, severity, score and minute is told after those before it.
    fn telling() -> impl FnMut(&[&str], &str, f64, i64) -> bool {
        let mut cooldown = Cooldown::default();
        move |kinds, severity, score, minute| {
            let alert = raised(kinds, severity, score, minute);
            alert_by(&mut cooldown, alert, minute).is_some()
        }
    }

    #[test]
    fn a_rule_is_not_told_again_because_another_subject_of_its_alert_is_worse() {
        let mut told = telling();
        assert!(told(&["price_spike"], "critical", 0.95, 0));
        assert!(told(&["rule:calm"], "info", 0.0, 3));
        assert!(!told(&["price_spike", "rule:calm"], "critical", 0.95, 5));
    }

    #[test]
    fn built_in_kinds_that_get_worse_are_told_although_a_rule_was_as_bad() {
        let mut told = telling();
        assert!(told(&["price_spike"], "warning", 0.6, 0));
        assert!(told(&["price_spike", "rule:crash"], "critical", 0.6, 5));
        assert!(told(&["price_spike"], "critical", 0.95, 8));
    }

    #[test]
    fn what_an_earlier_process_handled_is_not_told_again() {
        let mut cooldown = Cooldown::default();
        cooldown.handled_before(coin("bitcoin"), WINDOW, &sighting(Critical, 0), 0);
        let warning = sighting(Warning, 10);
        cooldown.handled_before(coin("bitcoin"), WINDOW, &warning, 10 * MINUTE_MS);
        assert_eq!(alert(&mut cooldown, "bitcoin", Critical, 20), None);
        assert_ne!(alert(&mut cooldown, "bitcoin", Critical, 25), None);
    }

    #[test]
    fn a_clock_set_back_silences_nobody() {
        let mut cooldown = Cooldown::default();
        cooldown.told(
            coin("bitcoin"),
            WINDOW,
            &sighting(Warning, 600),
            600 * MINUTE_MS,
        );
        assert_ne!(alert(&mut cooldown, "bitcoin", Warning, 500), None);
    }

    #[test]
    fn memory_is_bounded() {
        let mut cooldown = Cooldown::default();
        for second in 0..30_000 {
            cooldown.told(
                coin(&format!("coin-{second}")),
                WINDOW,
                &sighting(Warning, 0),
                second * 1_000,
            );
        }
        assert!(cooldown.subjects.len() <= SUBJECTS_MAX);
    }
}
