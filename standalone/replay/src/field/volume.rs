//! A coin's `total_volume`: a sum of 24 hours that is smooth by itself, times what exchanges do that drop out of it and
//! come back.
//!
//! Recorded steps of 20 to 90 s have two parts. Half of them are the smooth sum alone, about 0.035 %: what the last minute
//! traded less what the same minute of yesterday did. The other half are jumps whose logarithm is normal around 0.2 % and
//! so wide that one in a hundred passes 24 % and one in a thousand 300 %. Most are undone within a minute, some within
//! minutes, a few after hours; how the recorded steps grow with their gap says in which proportion.

use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution as _, Exp1};

use super::catalogue::Jumps;
use super::events::{FieldEvent, FieldEventKind};
use super::random::normal;

/// Refreshes in 24 hours.
pub(super) const DAY_REFRESHES: usize = 2_880;
/// Chance a refresh of a jump that lives so many refreshes on average.
const JUMPS: [(f64, f64); 3] = [(0.19, 1.5), (0.021, 20.0), (0.009, 360.0)];
/// An ordinary coin's median jump.
const JUMP_MEDIAN: f64 = 1.6e-3;
/// The memory of how busy trading is: 20 minutes.
const BUSY_KEEPS: f64 = 1.0 - 1.0 / 40.0;
const BUSY_SPREAD: f64 = 0.4;
/// While a price moves for a reason, so much more is traded.
const MOVE_BUSY: f64 = 3.0;

/// An exchange that reports wrongly, until it doesn't.
struct Jump {
    log_size: f64,
    until: u64,
}

/// One coin's volume.
pub(super) struct Volume {
    /// USD traded in a refresh on average.
    mean: f64,
    character: Jumps,
    /// What was traded in each refresh of 24 hours; the oldest is the next to be overwritten.
    traded: Box<[f64]>,
    sum: f64,
    busy: f64,
    jumps: Vec<Jump>,
}

impl Volume {
    pub(super) fn new(volume_24h: f64, character: Jumps, rng: &mut ChaCha8Rng) -> Self {
        let mean = volume_24h / DAY_REFRESHES as f64;
        let mut volume = Self {
            mean,
            character,
            traded: vec![0.0; DAY_REFRESHES].into(),
            sum: 0.0,
            busy: 0.0,
            jumps: Vec::new(),
        };
        for refresh in 0..DAY_REFRESHES {
            volume.traded[refresh] = volume.trade(0.0, 1.0, rng);
        }
        volume.sum = volume.traded.iter().sum();
        volume
    }

    /// The volume after refresh number `refresh`, in USD.
    pub(super) fn next(
        &mut self,
        refresh: u64,
        time_ms: i64,
        restless: f64,
        events: &[FieldEvent],
        jumps: bool,
        rng: &mut ChaCha8Rng,
    ) -> f64 {
        let mut times = 1.0;
        for event in events {
            if (event.from_ms..event.to_ms).contains(&time_ms) {
                times *= match event.kind {
                    FieldEventKind::VolumeBurst => event.size,
                    FieldEventKind::Pump | FieldEventKind::Crash => MOVE_BUSY,
                };
            }
        }
        let slot = (refresh % DAY_REFRESHES as u64) as usize;
        let now = self.trade(restless, times, rng);
        self.sum += now - std::mem::replace(&mut self.traded[slot], now);
        if slot == 0 {
            // What adding and subtracting all day has rounded off.
            self.sum = self.traded.iter().sum();
        }
        let jumped = self.jumped(refresh, rng);
        self.sum * if jumps { jumped } else { 1.0 }
    }

    fn trade(&mut self, restless: f64, times: f64, rng: &mut ChaCha8Rng) -> f64 {
        let noise = (1.0 - BUSY_KEEPS * BUSY_KEEPS).sqrt() * normal(rng);
        self.busy = self.busy * BUSY_KEEPS + BUSY_SPREAD * noise;
        let one: f64 = Exp1.sample(rng);
        let busy = (self.busy + 0.6 * restless - BUSY_SPREAD * BUSY_SPREAD / 2.0).exp();
        self.mean * busy * times * (0.4 + 0.6 * one)
    }

    /// What all the jumps that last make of the volume, as a factor.
    fn jumped(&mut self, refresh: u64, rng: &mut ChaCha8Rng) -> f64 {
        let Jumps { times, spread, max } = self.character;
        self.jumps.retain(|jump| jump.until > refresh);
        for (chance, life) in JUMPS {
            if rng.random_bool(chance) {
                let size = JUMP_MEDIAN * times * (spread * normal(rng)).exp();
                let sign = if rng.random_bool(0.5) { 1.0 } else { -1.0 };
                let lasts: f64 = Exp1.sample(rng);
                self.jumps.push(Jump {
                    log_size: sign * size.min(max),
                    until: refresh + 1 + (lasts * life) as u64,
                });
            }
        }
        let sum: f64 = self.jumps.iter().map(|jump| jump.log_size).sum();
        sum.clamp(-max, max).exp()
    }
}
