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
    /// Of some values, in two passes. Values are taken relative to the first, where differences of like prices are
    /// exact.
    fn of(values: impl Iterator<Item = f64> + Clone) -> Self {
        let Some(first) = values.clone().next() else {
            return Self::default();
        };
        let (mut count, mut sum) = (0.0, 0.0);
        for value in values.clone() {
            count += 1.0;
            sum += value - first;
        }
        let shift = sum / count;
        let deviation = values
            .map(|value| (value - first - shift) * (value - first - shift))
            .sum();
        Self {
            count,
            mean: first + shift,
            deviation,
        }
    }

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
    pub(crate) fn of(points: &[Point]) -> Self {
        let mut volumes = Volumes::default();
        for point in points.iter().filter(|point| !point.volume.is_nan()) {
            volumes.count += 1.0;
            volumes.sum += point.volume;
        }
        Self {
            price: Moments::of(points.iter().map(|point| point.price)),
            log_return: Moments::of(
                points
                    .iter()
                    .map(|point| point.log_return)
                    .filter(|log_return| !log_return.is_nan()),
            ),
            volumes,
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
