//! The models' inputs: scale-free numbers, so that coins of any price compare.

use crate::rows::WindowFeatures;
use crate::time::MINUTE_MS;

/// The inputs' names, in the order that every model file has them.
pub const INPUTS: [&str; 14] = [
    "return_1m",
    "return_5m",
    "return_15m",
    "volatility_5m",
    "volatility_15m",
    "price_to_ma_5m",
    "price_to_ma_15m",
    "zscore_15m",
    "return_zscore_15m",
    "volume_ratio",
    "volume_surge",
    "move_15m",
    "samples_15m",
    HOUR_OF_DAY,
];

/// The input that is the time of day: it says nothing about the market.
pub const HOUR_OF_DAY: &str = "hour_of_day";

/// A row's inputs, in the order of [`INPUTS`]; NaN where one is absent.
pub type Inputs = [f64; INPUTS.len()];

/// The inputs of a row. `price_to_ma_W` is price / ma_W - 1, `hour_of_day` whole hours UTC.
#[inline]
pub fn inputs(price: f64, event_time: i64, windows: &WindowFeatures) -> Inputs {
    let number = |number: Option<f64>| number.unwrap_or(f64::NAN);
    let to_mean = |mean: Option<f64>| price / number(mean) - 1.0;
    let inputs = [
        number(windows.return_1m),
        number(windows.return_5m),
        number(windows.return_15m),
        number(windows.volatility_5m),
        number(windows.volatility_15m),
        to_mean(windows.ma_5m),
        to_mean(windows.ma_15m),
        number(windows.zscore_15m),
        number(windows.return_zscore_15m),
        number(windows.volume_ratio),
        number(windows.volume_surge),
        number(windows.move_15m),
        number(windows.samples_15m.map(f64::from)),
        event_time.div_euclid(60 * MINUTE_MS).rem_euclid(24) as f64,
    ];
    // An infinite input says as little as an absent one.
    inputs.map(|input| if input.is_finite() { input } else { f64::NAN })
}

/// The inputs, with absent ones replaced by `fill`.
#[inline]
pub(super) fn filled(inputs: &Inputs, fill: &Inputs) -> Inputs {
    std::array::from_fn(|place| match inputs[place] {
        input if input.is_nan() => fill[place],
        input => input,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_and_infinite_inputs_are_nan() {
        let nothing = inputs(1.0, 0, &WindowFeatures::default());
        assert!(nothing[..13].iter().all(|input| input.is_nan()));
        assert_eq!(nothing[13], 0.0);
        let windows = WindowFeatures {
            ma_5m: Some(0.0),
            ma_15m: Some(80.0),
            samples_15m: Some(15),
            zscore_15m: Some(-2.5),
            move_15m: Some(0.5),
            ..Default::default()
        };
        let some = inputs(100.0, 1_672_679_293_102, &windows);
        assert!(some[5].is_nan());
        assert_eq!(
            (some[6], some[7], some[11], some[12], some[13]),
            (0.25, -2.5, 0.5, 15.0, 17.0)
        );
        let fill = std::array::from_fn(|place| place as f64);
        assert_eq!(
            filled(&some, &fill),
            [
                0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 0.25, -2.5, 8.0, 9.0, 10.0, 0.5, 15.0, 17.0
            ]
        );
    }

    #[test]
    fn times_before_the_epoch_have_an_hour_of_day() {
        let hour = |time| inputs(1.0, time, &WindowFeatures::default())[13];
        assert_eq!(
            (hour(-1), hour(-3_600_001), hour(86_400_000)),
            (23.0, 22.0, 0.0)
        );
    }
}
