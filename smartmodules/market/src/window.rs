//! What a stretch of ticks amounts to: counts, means and squared deviations that can be merged.
//!
//! Nothing is ever subtracted from a summary, so nothing drifts: a window is summed up anew from its ticks, or from
//! summaries of blocks of them, and depends on those ticks alone.

/// A tick in a series. NaN stands for none, so that a tick takes four words.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Point {
    pub(crate) time: i64,
    pub(crate) price: f64,
    /// 24-hour volume, or NaN.
    pub(crate) volume: f64,
    /// Fixed when the tick arrived; NaN when there was no tick before it.
    pub(crate) log_return: f64,
}

/// Count, mean and sum of squared deviations from the mean.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Moments {
    pub(crate) count: f64,
    pub(crate) mean: f64,
    deviation: f64,
}

impl Moments {
    /// Of both together (Chan, Golub and LeVeque 1979).
    fn merge(self, other: Self) -> Self {
        if self.count == 0.0 {
            return other;
        }
        if other.count == 0.0 {
            return self;
        }
        let count = self.count + other.count;
        let apart = other.mean - self.mean;
        Self {
            count,
            mean: self.mean + apart * (other.count / count),
            deviation: self.deviation
                + other.deviation
                + apart * apart * (self.count * other.count / count),
        }
    }

    /// The sample standard deviation (n - 1); `None` under two values.
    pub(crate) fn std(&self) -> Option<f64> {
        (self.count >= 2.0).then(|| (self.deviation / (self.count - 1.0)).sqrt())
    }

    /// The mean; `None` of nothing.
    pub(crate) fn mean(&self) -> Option<f64> {
        (self.count > 0.0).then_some(self.mean)
    }
}

/// The sum of the volumes there are, and their number.
#[derive(Debug, Clone, Copy, Default)]
struct Volumes {
    count: f64,
    sum: f64,
}

/// All that is asked about a stretch of ticks.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Summary {
    pub(crate) price: Moments,
    pub(crate) log_return: Moments,
    volumes: Volumes,
}

impl Summary {
    /// Of some ticks, in two passes: means first, then deviations from them. Prices are taken relative to the first,
    /// where differences of like prices are exact.
    pub(crate) fn of(points: &[Point]) -> Self {
        let Some(first) = points.first() else {
            return Self::default();
        };
        let mut price_sum = 0.0;
        let (mut volume_count, mut volume_sum) = (0.0, 0.0);
        let (mut return_count, mut return_sum) = (0.0, 0.0);
        for point in points {
            price_sum += point.price - first.price;
            if !point.volume.is_nan() {
                volume_count += 1.0;
                volume_sum += point.volume;
            }
            if !point.log_return.is_nan() {
                return_count += 1.0;
                return_sum += point.log_return;
            }
        }
        let price_count = points.len() as f64;
        let price_shift = price_sum / price_count;
        let return_mean = if return_count > 0.0 {
            return_sum / return_count
        } else {
            0.0
        };

        let (mut price_deviation, mut return_deviation) = (0.0, 0.0);
        for point in points {
            let price = point.price - first.price - price_shift;
            price_deviation += price * price;
            if !point.log_return.is_nan() {
                let log_return = point.log_return - return_mean;
                return_deviation += log_return * log_return;
            }
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

    pub(crate) fn merge(self, other: Self) -> Self {
        Self {
            price: self.price.merge(other.price),
            log_return: self.log_return.merge(other.log_return),
            volumes: Volumes {
                count: self.volumes.count + other.volumes.count,
                sum: self.volumes.sum + other.volumes.sum,
            },
        }
    }

    /// How many ticks.
    pub(crate) fn samples(&self) -> u32 {
        // A count of ticks held in memory.
        self.price.count as u32
    }

    /// The mean of the volumes there are.
    pub(crate) fn volume_mean(&self) -> Option<f64> {
        (self.volumes.count > 0.0).then(|| self.volumes.sum / self.volumes.count)
    }
}
