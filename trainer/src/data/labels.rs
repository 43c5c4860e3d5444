//! Labels: what the models predict for a row, computed from later rows of its coin.
//!
//! - `anomaly_ahead`: an episode of warnings or worse begins within the next 15 minutes. Rows within an episode have no label: the
//!   model predicts its beginning, not that it goes on. One that began before the rows that are read counts as beginning in them
//! - `trend_up`: the price is higher 15 minutes later
//!
//! "15 minutes later" is the first tick 15 to 20 minutes after the row. A row without such a tick has no label.

use market::{Severity, Sighting, episodes};

use super::label::Label;
use super::{Row, Rows};

const MINUTE_MS: i64 = 60_000;

/// How far ahead the labels look.
pub const AHEAD_MS: i64 = 15 * MINUTE_MS;

/// How long after a row the tick "15 minutes later" may come. No label depends on anything after it, so rows to fit on end this long
/// before rows to test on.
pub const FUTURE_MS_MAX: i64 = 20 * MINUTE_MS;

/// The label of every row; `None` where it has none.
pub fn labels<I>(rows: &Rows<I>, label: Label) -> Vec<Option<bool>> {
    let mut labels = Vec::with_capacity(rows.len());
    for coin in rows.as_slice().chunk_by(|a, b| a.coin == b.coin) {
        let later = ticks_ahead(coin);
        match label {
            Label::AnomalyAhead => anomaly_ahead(coin, later, &mut labels),
            Label::TrendUp => labels.extend(
                later
                    .zip(coin)
                    .map(|(later, row)| Some(later?.price > row.price)),
            ),
        }
    }
    labels
}

/// For each row the tick 15 minutes later, if there is one.
fn ticks_ahead<I>(coin: &[Row<I>]) -> impl Iterator<Item = Option<&Row<I>>> {
    let mut later = 0;
    coin.iter().map(move |row| {
        let from = row.event_time + AHEAD_MS;
        while coin.get(later).is_some_and(|tick| tick.event_time < from) {
            later += 1;
        }
        coin.get(later)
            .filter(|tick| tick.event_time <= row.event_time + FUTURE_MS_MAX)
    })
}

fn anomaly_ahead<'a, I: 'a>(
    coin: &[Row<I>],
    later: impl Iterator<Item = Option<&'a Row<I>>>,
    labels: &mut Vec<Option<bool>>,
) {
    let alerts = coin.iter().filter(|row| row.alerts);
    let episodes = episodes(alerts.map(|row| Sighting {
        event_time: row.event_time,
        price: row.price,
        severity: Severity::Warning,
        moved: 0.0,
    }));
    let mut next = episodes.iter().peekable();
    labels.extend(coin.iter().zip(later).map(|(row, later)| {
        let t = row.event_time;
        while next.next_if(|episode| episode.end < t).is_some() {}
        // Without it nobody knows what came.
        later?;
        match next.peek() {
            Some(episode) if episode.begin <= t => None,
            Some(episode) => Some(episode.begin <= t + AHEAD_MS),
            None => Some(false),
        }
    }));
}

#[cfg(test)]
mod tests {
    use market::WindowFeatures;
    use proptest::prelude::*;

    use super::*;
    use crate::data::RowsBuilder;

    /// Coin, minute, price, and whether there is an alert.
    type Tick = (u8, i64, u8, bool);

    fn rows(ticks: &[Tick], offset: i64) -> Rows {
        let mut builder = RowsBuilder::default();
        for (input, &(coin, minute, price, alerts)) in (0..).zip(ticks) {
            let windows = WindowFeatures {
                volume_surge: alerts.then_some(99.0),
                ..WindowFeatures::undefined()
            };
            // Not every coin ticks on whole minutes.
            let time = minute * MINUTE_MS
                + if coin == 0 {
                    0
                } else {
                    (offset * minute) % 60_000
                };
            builder.push(
                input,
                &format!("coin-{coin}"),
                time,
                f64::from(price),
                &windows,
            );
        }
        builder.build()
    }

    fn ticks() -> impl Strategy<Value = Vec<Tick>> {
        prop::collection::vec(
            (0..3_u8, 0..90_i64, 1..4_u8, prop::bool::weighted(0.1)),
            0..120,
        )
    }

    /// The definitions, word for word.
    fn naive(rows: &Rows, label: Label) -> Vec<Option<bool>> {
        let all = rows.as_slice();
        let of = |row: &Row| {
            let coin: Vec<&Row> = all.iter().filter(|other| other.coin == row.coin).collect();
            let t = row.event_time;
            let later = coin
                .iter()
                .filter(|other| other.event_time >= t + AHEAD_MS)
                .min_by_key(|other| other.event_time)
                .filter(|other| other.event_time <= t + FUTURE_MS_MAX)?;
            let alerts = || coin.iter().filter(|other| other.alerts);
            let before = alerts().filter(|other| other.event_time <= t);
            let before = before.map(|other| other.event_time).max();
            let after = alerts().filter(|other| other.event_time >= t);
            let after = after.map(|other| other.event_time).min();
            match label {
                Label::AnomalyAhead => {
                    let within = before
                        .zip(after)
                        .is_some_and(|(before, after)| after - before <= 15 * MINUTE_MS);
                    let begins = |alert: i64| {
                        !alerts().any(|other| {
                            other.event_time < alert && alert - other.event_time <= 15 * MINUTE_MS
                        })
                    };
                    (!within).then(|| {
                        alerts().any(|other| {
                            t < other.event_time
                                && other.event_time <= t + AHEAD_MS
                                && begins(other.event_time)
                        })
                    })
                }
                Label::TrendUp => Some(later.price > row.price),
            }
        };
        all.iter().map(of).collect()
    }

    proptest! {
        #![proptest_config(crate::property::cases(300))]

        #[test]
        fn labels_are_those_of_the_definition(ticks in ticks(), offset in 0..60_000_i64) {
            let rows = rows(&ticks, offset);
            for label in Label::ALL {
                prop_assert_eq!(labels(&rows, label), naive(&rows, label), "{:?}", label);
            }
        }

        /// Rows that come later than 20 minutes could be any others: so far apart, rows to fit on know nothing of rows to
        /// test on.
        #[test]
        fn no_label_depends_on_what_comes_later(
            ticks in ticks(),
            others in ticks(),
            at in 0..90_i64,
        ) {
            let until = (at + 20) * MINUTE_MS;
            let before = |ticks: &[Tick]| -> Vec<Tick> {
                ticks.iter().copied().filter(|(_, minute, ..)| minute * MINUTE_MS <= until).collect()
            };
            let after = others.iter().copied().filter(|(_, minute, ..)| minute * MINUTE_MS > until);
            let changed = [before(&ticks), after.collect()].concat();
            for label in Label::ALL {
                let known = |ticks: &[Tick]| -> Vec<_> {
                    let rows = rows(ticks, 0);
                    let labels = labels(&rows, label);
                    let coins = rows.coins();
                    let names = rows.as_slice().iter().map(|row| (coins[row.coin as usize].clone(), row.event_time));
                    names.zip(labels).filter(|((_, time), _)| *time <= at * MINUTE_MS).collect()
                };
                prop_assert_eq!(known(&ticks), known(&changed), "{:?}", label);
            }
        }
    }
}
