//! A coin's price as CoinGecko shows it: an average over exchanges that follows the market with a lag.
//!
//! Minute returns have fat tails and volatility in clusters. The average over exchanges that are asked at different times
//! smooths the last minute away: in the median a recorded step of 20 to 90 s is a third of one exchange's; over some minutes both
//! move equally.

use rand_chacha::ChaCha8Rng;

use super::catalogue::Nature;
use super::events::{FieldEvent, FieldEventKind};
use super::random::{fat, normal};

/// The share of the way to the market's price that the shown one goes in a refresh (a lag of about 45 s).
const FOLLOWS: f64 = 0.49;
/// The volatility's own memory: 4 hours of refreshes for the market, an hour for a coin.
const MARKET_KEEPS: f64 = 1.0 - 1.0 / 480.0;
const COIN_KEEPS: f64 = 1.0 - 1.0 / 120.0;
/// A refresh's move, of the volatility of a calm minute: the root of half a minute, 0.71, times 1.27, since restless hours are part of
/// the market.
const STEP: f64 = 0.9;
/// How far restlessness goes, as the standard deviation of its logarithm.
const RESTLESS_SPREAD: f64 = 0.35;
/// What the averages of exchanges that are asked at different times jump by, of a refresh's move.
const SHOWN_NOISE: f64 = 0.06;
/// The same of a pegged coin, of its noise.
const PEG_SHOWN_NOISE: f64 = 0.5;
/// How much of a coin's return is the market's.
const COMMON: f64 = 0.75;
/// The share of its distance from the peg that a pegged coin keeps over a refresh: it is back within an hour or so.
const PEG_KEEPS: f64 = 1.0 - 1.0 / 100.0;

/// What moves all coins together in one refresh.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tide {
    /// The logarithm of how restless the market is; 0 on a usual day.
    pub restless: f64,
    /// The common part of every return, standard deviation about 1.
    pub step: f64,
}

/// The source of [`Tide`]s.
pub(super) struct Sea {
    rng: ChaCha8Rng,
    restless: f64,
}

impl Sea {
    pub(super) fn new(rng: ChaCha8Rng) -> Self {
        Self { rng, restless: 0.0 }
    }

    pub(super) fn next(&mut self) -> Tide {
        let noise = (1.0 - MARKET_KEEPS * MARKET_KEEPS).sqrt() * normal(&mut self.rng);
        self.restless = self.restless * MARKET_KEEPS + RESTLESS_SPREAD * noise;
        Tide {
            restless: self.restless,
            step: fat(&mut self.rng),
        }
    }
}

/// One coin's price.
pub(super) struct Price {
    nature: Nature,
    start: f64,
    /// The logarithm of the market's price over the first one.
    market: f64,
    /// The same for the price that is shown.
    shown: f64,
    restless: f64,
}

impl Price {
    pub(super) fn new(nature: Nature, start: f64) -> Self {
        Self {
            nature,
            start,
            market: 0.0,
            shown: 0.0,
            restless: 0.0,
        }
    }

    /// The coin's own part of how restless its trading is now, as a logarithm; the tide's comes on top.
    pub(super) fn restless(&self) -> f64 {
        self.restless
    }

    /// The price after one more refresh, which lies at `time_ms`, `before_ms` being the one before.
    pub(super) fn next(
        &mut self,
        tide: Tide,
        events: &[FieldEvent],
        before_ms: i64,
        time_ms: i64,
        rng: &mut ChaCha8Rng,
    ) -> f64 {
        // Drawn whatever the nature, so that what the coin draws next does not depend on it.
        let (own, bounce, turn) = (fat(rng), normal(rng), normal(rng));
        match self.nature {
            Nature::Floating { volatility } => {
                let noise = (1.0 - COIN_KEEPS * COIN_KEEPS).sqrt() * turn;
                self.restless = self.restless * COIN_KEEPS + RESTLESS_SPREAD * noise;
                let size = volatility * STEP * (tide.restless + self.restless).exp();
                let step = COMMON * tide.step + (1.0 - COMMON * COMMON).sqrt() * own;
                self.market += size * step;
                for event in events {
                    let whole = match event.kind {
                        FieldEventKind::Pump => event.size.ln_1p(),
                        FieldEventKind::Crash => (-event.size).ln_1p(),
                        FieldEventKind::VolumeBurst => continue,
                    };
                    self.market += whole * (event.done(time_ms) - event.done(before_ms));
                }
                self.shown += FOLLOWS * (self.market - self.shown);
                self.start * (self.shown + SHOWN_NOISE * size * bounce).exp()
            }
            Nature::Pegged { noise } => {
                self.market = self.market * PEG_KEEPS + noise * own;
                self.start * (self.market + PEG_SHOWN_NOISE * noise * bounce).exp()
            }
            Nature::Fund => self.start,
        }
    }
}
