//! Sums up stretches of ticks: counts, means and squared deviations that can be merged.
//!
//! Nothing is ever subtracted from a summary, so rounding errors do not accumulate: each window is summed up from its
//! ticks, or from summaries of blocks of them.

use super::point::Point;

/// Count, mean and sum of squared deviations from the mean.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Moments {
    pub(super) count: f64,
    pub(super) mean: f64,
    deviation: f64,
}

impl Moments {
    /// The moments of both together (Chan, Golub and LeVeque 1979).
    fn merge(self, other: Self) -> Self {
        if self.count == 0.0 {
            return other;
        }
        if other.count == 0.0 {
            return self;
        }
        let count = self.count + other.count;
        let part = other.count / count;
        let apart = other.mean - self.mean;
        Self {
            count,
            mean: self.mean + apart * part,
            deviation: self.deviation + other.deviation + apart * apart * (self.count * part),
        }
    }

    /// The sample standard deviation (n - 1); `None` under two values.
    pub(super) fn std(&self) -> Option<f64> {
        (self.count >= 2.0).then(|| (self.deviation / (self.count - 1.0)).sqrt())
    }

    /// The mean; `None` without values.
    pub(super) fn mean(&self) -> Option<f64> {
        (self.count > 0.0).then_some(self.mean)
    }
}

/// The sum and number of the volumes present.
#[derive(Debug, Clone, Copy, Default)]
struct Volumes {
    count: f64,
    sum: f64,
}

/// The statistics of a stretch of ticks.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Summary {
    pub(super) price: Moments,
    pub(super) log_return: Moments,
    volumes: Volumes,
}

impl Summary {
    /// The summary of a single tick.
    #[inline]
    pub(super) fn of_one(point: &Point) -> Self {
        let of_one = |number: f64| match number.is_nan() {
            true => Moments::default(),
            false => Moments {
                count: 1.0,
                mean: number,
                deviation: 0.0,
            },
        };
        let volume = of_one(point.volume);
        Self {
            price: of_one(point.price),
            log_return: of_one(point.log_return),
            volumes: Volumes {
                count: volume.count,
                sum: volume.mean,
            },
        }
    }

    /// The summary of some ticks, in two passes: means first, then deviations from them. Prices are taken relative to the
    /// first one: differences of similar prices are exact.
    pub(super) fn of(points: &[Point]) -> Self {
        let Some(first) = points.first() else {
            return Self::default();
        };
        // No branches in the loops: an absent number adds 0.
        let or_zero = |number: f64| if number.is_nan() { 0.0 } else { number };
        let mut price_sum = 0.0;
        let (mut volume_count, mut volume_sum) = (0_u32, 0.0);
        let (mut return_count, mut return_sum) = (0_u32, 0.0);
        for point in points {
            price_sum += point.price - first.price;
            volume_count += u32::from(!point.volume.is_nan());
            volume_sum += or_zero(point.volume);
            return_count += u32::from(!point.log_return.is_nan());
            return_sum += or_zero(point.log_return);
        }
        let price_count = points.len() as f64;
        let price_shift = price_sum / price_count;
        let (volume_count, return_count) = (f64::from(volume_count), f64::from(return_count));
        let return_mean = return_sum / return_count.max(1.0);

        let (mut price_deviation, mut return_deviation) = (0.0, 0.0);
        for point in points {
            let price = point.price - first.price - price_shift;
            price_deviation += price * price;
            let log_return = or_zero(point.log_return - return_mean);
            return_deviation += log_return * log_return;
        }
        Self {
            price: Moments {
                count: price_count,
                mean: first.price + price_shift,
                deviation: price_deviation,
            },
            log_return: Moments {
                count: return_count,
                mean: return_mean,
                deviation: return_deviation,
            },
            volumes: Volumes {
                count: volume_count,
                sum: volume_sum,
            },
        }
    }

    pub(super) fn merge(self, other: Self) -> Self {
        Self {
            price: self.price.merge(other.price),
            log_return: self.log_return.merge(other.log_return),
            volumes: Volumes {
                count: self.volumes.count + other.volumes.count,
                sum: self.volumes.sum + other.volumes.sum,
            },
        }
    }

    /// The number of ticks.
    pub(super) fn samples(&self) -> u32 {
        // A count of ticks held in memory.
        self.price.count as u32
    }

    /// The mean of the volumes present.
    pub(super) fn volume_mean(&self) -> Option<f64> {
        (self.volumes.count > 0.0).then(|| self.volumes.sum / self.volumes.count)
    }
}
