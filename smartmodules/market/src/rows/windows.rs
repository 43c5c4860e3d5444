//! The features of sliding windows: one list of fields, from which the type, both readers and the writer are made.

use super::exact::Exact;
use super::fields::{finite, nullable};
use crate::json::{ObjectWriter, Value};
use crate::label;

macro_rules! window_features {
    ($($(#[$doc:meta])* $name:ident: $kind:ident,)*) => {
        /// The features of the windows that end at a tick; `None` where a feature is undefined. A tick that came later
        /// than allowed gets the default: all `None`.
        #[derive(Debug, Clone, Copy, Default, PartialEq)]
        pub struct WindowFeatures {
            $($(#[$doc])* pub $name: Option<window_features!(@type $kind)>,)*
        }

        impl WindowFeatures {
            /// Takes a field of a record; `None` if it is one of these with a value of the wrong type.
            pub(super) fn read(&mut self, name: &str, value: Value<'_>) -> Option<()> {
                match name {
                    $(stringify!($name) => self.$name = nullable(value, window_features!(@read $kind))?,)*
                    _ => {}
                }
                Some(())
            }

            /// Reads the fields exactly as [`Self::write`] writes them, and skips those that `wanted` does not name.
            #[inline(always)]
            pub(super) fn read_exactly(exact: &mut Exact<'_>, wanted: impl Fn(&str) -> bool) -> Option<Self> {
                let mut windows = Self::default();
                $(
                    exact.skip_text(concat!(",\"", stringify!($name), "\":"))?;
                    if wanted(stringify!($name)) {
                        windows.$name = window_features!(@exact $kind, exact);
                    } else {
                        exact.skip_number()?;
                    }
                )*
                Some(windows)
            }

            #[inline]
            pub(super) fn write(&self, object: &mut ObjectWriter<'_>) {
                $(window_features!(@write $kind, object, label!(stringify!($name)), self.$name);)*
            }
        }
    };
    (@type number) => { f64 };
    (@type count) => { u32 };
    (@read number) => { finite };
    (@read count) => { |value: Value<'_>| u32::try_from(value.integer()?).ok() };
    (@exact number, $exact:ident) => { $exact.optional_number()? };
    (@exact count, $exact:ident) => {
        $exact.nullable(|exact| u32::try_from(exact.integer()?).ok())?
    };
    (@write number, $object:ident, $label:expr, $value:expr) => { $object.optional_number($label, $value) };
    (@write count, $object:ident, $label:expr, $value:expr) => {
        $object.optional_integer($label, $value.map(i64::from))
    };
}

window_features! {
    /// Mean price over the last minute.
    ma_1m: number,
    /// Mean price over the last 5 minutes.
    ma_5m: number,
    /// Mean price over the last 15 minutes.
    ma_15m: number,
    /// Ticks in the last minute.
    samples_1m: count,
    /// Ticks in the last 5 minutes.
    samples_5m: count,
    /// Ticks in the last 15 minutes.
    samples_15m: count,
    /// ln(price / previous price), if the previous tick is at most 15 minutes older.
    log_return: number,
    /// Sample standard deviation of log_return over the last minute.
    volatility_1m: number,
    /// Sample standard deviation of log_return over the last 5 minutes.
    volatility_5m: number,
    /// Sample standard deviation of log_return over the last 15 minutes.
    volatility_15m: number,
    /// Price / the price a minute ago - 1.
    return_1m: number,
    /// Price / the price 5 minutes ago - 1.
    return_5m: number,
    /// Price / the price 15 minutes ago - 1.
    return_15m: number,
    /// Standard deviations between the price and the mean of the 15 minutes before it.
    zscore_15m: number,
    /// Mean 24-hour volume over the last 15 minutes.
    volume_ma_15m: number,
    /// 24-hour volume / its mean over the 15 minutes before.
    volume_ratio: number,
    /// Volume traded since the previous tick / the daily average for that time.
    volume_surge: number,
}
