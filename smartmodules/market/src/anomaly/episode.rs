//! Episodes: alerts that belong together, and which of them people are told.
//!
//! An episode is all alerts of a coin that follow each other within 15 minutes. Whoever asks decides which alerts these are: the
//! built-in kinds from a severity on, or those of one rule of the user's.

use super::alert::Severity;
use crate::time::MINUTE_MS;

/// Alerts that follow each other within this time are of one episode.
const APART_MS_MAX: i64 = 15 * MINUTE_MS;

/// What the price has moved counts as at least this when it is doubled: small moves double in no time.
const DISTANCE_MIN: f64 = 0.01;

/// What doubling a distance may cost in rounding.
const ROUNDING: f64 = 1e-9;

/// What episodes need to know of an alert.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sighting {
    /// Milliseconds since the epoch.
    pub event_time: i64,
    /// Above 0.
    pub price: f64,
    /// The alert's severity.
    pub severity: Severity,
    /// How far the price has moved, as a part of what it was; see [`Self::moved`].
    pub moved: f64,
}

impl Sighting {
    /// How far an alert's price has moved: `move_15m` or `return_15m`, whichever says more; 0 if neither does.
    ///
    /// ```
    /// use market::Sighting;
    ///
    /// assert_eq!(Sighting::moved(Some(0.01), Some(-0.05)), -0.05);
    /// assert_eq!(Sighting::moved(None, None), 0.0);
    /// ```
    pub fn moved(move_15m: Option<f64>, return_15m: Option<f64>) -> f64 {
        [move_15m, return_15m]
            .into_iter()
            .flatten()
            .max_by(|a, b| a.abs().total_cmp(&b.abs()))
            .unwrap_or(0.0)
    }

    /// The price before it moved.
    fn price_before(&self) -> f64 {
        let before = self.price / (1.0 + self.moved);
        if before.is_finite() && before > 0.0 {
            before
        } else {
            self.price
        }
    }
}

/// Alerts of one coin that follow each other within 15 minutes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Episode {
    /// Event time of its oldest alert, in milliseconds since the epoch.
    pub begin: i64,
    /// Event time of its newest alert.
    pub end: i64,
    /// The greatest severity among its alerts.
    pub severity: Severity,
    /// The price before it began.
    price_before: f64,
    /// The greatest distance from that price that people were told, as a part of it.
    told_distance: f64,
}

impl Episode {
    fn beginning_with(alert: &Sighting) -> Self {
        let mut episode = Self {
            begin: alert.event_time,
            end: alert.event_time,
            severity: alert.severity,
            price_before: alert.price_before(),
            told_distance: DISTANCE_MIN,
        };
        episode.told_distance = episode.distance(alert).max(DISTANCE_MIN);
        episode
    }

    fn distance(&self, alert: &Sighting) -> f64 {
        (alert.price / self.price_before - 1.0).abs()
    }

    /// Takes one of its alerts.
    fn take(&mut self, alert: &Sighting) -> Option<News> {
        self.begin = self.begin.min(alert.event_time);
        self.end = self.end.max(alert.event_time);
        let distance = self.distance(alert);
        let news = if alert.severity > self.severity {
            Some(News::Worse)
        } else if distance >= 2.0 * self.told_distance * (1.0 - ROUNDING) {
            Some(News::AsFarAgain)
        } else {
            None
        };
        self.severity = self.severity.max(alert.severity);
        if news.is_some() {
            self.told_distance = self.told_distance.max(distance);
        }
        news
    }
}

/// Why people are told of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum News {
    /// It begins an episode.
    Begins,
    /// It is more severe than all before it in the episode.
    Worse,
    /// The price is twice as far from where it was before the episode as when people were last told, and 2 % at least.
    AsFarAgain,
}

/// Follows the episodes of one coin, or of one rule and one coin.
///
/// ```
/// use market::{Episodes, News, Severity, Sighting};
///
/// // A crash from 100: 5, 7, 10 and 20 %.
/// let mut episodes = Episodes::default();
/// let mut news = |minute: i64, price: f64| {
///     let moved = price / 100.0 - 1.0;
///     episodes.take(&Sighting { event_time: minute * 60_000, price, severity: Severity::Critical, moved })
/// };
/// assert_eq!(news(0, 95.0), Some(News::Begins));
/// assert_eq!(news(1, 93.0), None);
/// assert_eq!(news(2, 90.0), Some(News::AsFarAgain));
/// assert_eq!(news(9, 80.0), Some(News::AsFarAgain));
/// assert_eq!(news(25, 80.0), Some(News::Begins));
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Episodes {
    current: Option<Episode>,
}

impl Episodes {
    /// The newest episode.
    pub fn current(&self) -> Option<&Episode> {
        self.current.as_ref()
    }

    /// Takes an alert, and says whether people are told of it, and why. One that is older than the newest episode by more than 15
    /// minutes is no news: people know of something newer.
    pub fn take(&mut self, alert: &Sighting) -> Option<News> {
        match &mut self.current {
            Some(episode) if alert.event_time < episode.begin.saturating_sub(APART_MS_MAX) => None,
            Some(episode) if alert.event_time <= episode.end.saturating_add(APART_MS_MAX) => {
                episode.take(alert)
            }
            _ => {
                self.current = Some(Episode::beginning_with(alert));
                Some(News::Begins)
            }
        }
    }
}

/// The episodes that a coin's alerts form. The alerts come in the order of event time.
pub fn episodes(alerts: impl IntoIterator<Item = Sighting>) -> Vec<Episode> {
    let mut follower = Episodes::default();
    let mut episodes: Vec<Episode> = Vec::new();
    for alert in alerts {
        if follower.take(&alert) == Some(News::Begins) {
            episodes.extend(follower.current);
        } else if let (Some(newest), Some(current)) = (episodes.last_mut(), follower.current) {
            *newest = current;
        }
    }
    episodes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn alert(minute: i64, price: f64, severity: Severity, moved: f64) -> Sighting {
        Sighting {
            event_time: minute * MINUTE_MS,
            price,
            severity,
            moved,
        }
    }

    #[test]
    fn a_rising_severity_is_told_once_a_step() {
        use Severity::{Critical, Info, Warning};
        let mut episodes = Episodes::default();
        let told: Vec<_> = [Info, Warning, Info, Warning, Critical, Warning, Critical]
            .into_iter()
            .zip(0..)
            .map(|(severity, minute)| episodes.take(&alert(minute, 100.0, severity, 0.0)))
            .collect();
        let (begins, worse) = (Some(News::Begins), Some(News::Worse));
        assert_eq!(told, [begins, worse, None, None, worse, None, None]);
        assert_eq!(episodes.current().unwrap().severity, Critical);
    }

    #[test]
    fn a_small_move_counts_as_one_percent() {
        let mut episodes = Episodes::default();
        let mut take = |minute, price| {
            episodes.take(&alert(
                minute,
                price,
                Severity::Warning,
                price / 100.0 - 1.0,
            ))
        };
        assert_eq!(take(0, 100.1), Some(News::Begins));
        assert_eq!(take(1, 100.9), None);
        assert_eq!(take(2, 98.2), None);
        assert_eq!(take(3, 97.9), Some(News::AsFarAgain), "either way");
        assert_eq!(take(4, 96.0), None);
    }

    #[test]
    fn a_price_that_comes_back_and_goes_again_is_told_once() {
        let mut episodes = Episodes::default();
        let mut take = |minute, price, severity| {
            episodes.take(&alert(minute, price, severity, price / 100.0 - 1.0))
        };
        assert_eq!(take(0, 95.0, Severity::Warning), Some(News::Begins));
        assert_eq!(take(1, 99.0, Severity::Critical), Some(News::Worse));
        assert_eq!(take(2, 95.0, Severity::Critical), None);
        assert_eq!(take(3, 90.0, Severity::Critical), Some(News::AsFarAgain));
    }

    #[test]
    fn quarter_hours_are_the_edge() {
        let at = |time| Sighting {
            event_time: time,
            ..alert(0, 1.0, Severity::Warning, 0.0)
        };
        let mut episodes = Episodes::default();
        assert_eq!(episodes.take(&at(APART_MS_MAX)), Some(News::Begins));
        // Late, and still near; too late to be told.
        assert_eq!(episodes.take(&at(0)), None);
        assert_eq!(episodes.current().unwrap().begin, 0);
        assert_eq!(episodes.take(&at(-APART_MS_MAX - 1)), None);
        assert_eq!(episodes.current().unwrap().begin, 0);
        assert_eq!(episodes.take(&at(2 * APART_MS_MAX)), None);
        assert_eq!(episodes.take(&at(3 * APART_MS_MAX + 1)), Some(News::Begins));
    }

    #[test]
    fn an_impossible_move_is_none() {
        for moved in [-1.0, -2.0, f64::NAN, f64::INFINITY] {
            let mut episodes = Episodes::default();
            let alert = alert(0, 100.0, Severity::Warning, moved);
            assert_eq!(episodes.take(&alert), Some(News::Begins));
            assert_eq!(episodes.take(&alert), None);
        }
    }

    fn sighting() -> impl Strategy<Value = (i64, Sighting)> {
        let apart = prop_oneof![
            4 => 0..5 * MINUTE_MS,
            2 => (-1..=1_i64).prop_map(|ms| APART_MS_MAX + ms),
            1 => 0..60 * MINUTE_MS,
        ];
        let severity = prop::sample::select(Severity::ALL.to_vec());
        (apart, 50.0..200.0_f64, severity, -0.2..0.2_f64)
            .prop_map(|(apart, price, severity, moved)| (apart, alert(0, price, severity, moved)))
    }

    proptest! {
        #![proptest_config(crate::property::cases(2_000))]

        #[test]
        fn episodes_are_those_of_the_definition(alerts in prop::collection::vec(sighting(), 0..60)) {
            let mut time = 0;
            let alerts: Vec<_> = alerts
                .into_iter()
                .map(|(apart, alert)| {
                    time += apart;
                    Sighting { event_time: time, ..alert }
                })
                .collect();
            let expected: Vec<_> = alerts
                .chunk_by(|a, b| b.event_time - a.event_time <= APART_MS_MAX)
                .map(|chunk| {
                    let severity = chunk.iter().map(|alert| alert.severity).max().unwrap();
                    (chunk[0].event_time, chunk[chunk.len() - 1].event_time, severity)
                })
                .collect();
            let found = episodes(alerts.iter().copied());
            let found: Vec<_> = found.iter().map(|e| (e.begin, e.end, e.severity)).collect();
            prop_assert_eq!(&found, &expected);

            // People are told of each at its begin, and of its severity at the latest when it is reached.
            let mut follower = Episodes::default();
            let mut told = Vec::new();
            for alert in &alerts {
                let news = follower.take(alert);
                told.extend(news.map(|news| (news, *alert)));
                let current = follower.current().unwrap();
                let worst = told
                    .iter()
                    .filter(|(_, told)| told.event_time >= current.begin)
                    .map(|(_, told)| told.severity)
                    .max();
                prop_assert_eq!(worst, Some(current.severity));
            }
            let begins = told.iter().filter(|(news, _)| *news == News::Begins).count();
            prop_assert_eq!(begins, expected.len());
        }

        /// However often a price swings: each message about the price is of twice the distance.
        #[test]
        fn few_messages_an_episode(prices in prop::collection::vec(50.0..200.0_f64, 1..300)) {
            let mut follower = Episodes::default();
            let told = prices
                .iter()
                .filter(|price| {
                    let alert = alert(0, **price, Severity::Warning, 0.0);
                    follower.take(&alert).is_some()
                })
                .count();
            // 1 % doubled to at most 300 %, and the begin.
            prop_assert!(told <= 10, "{}", told);
        }
    }
}
