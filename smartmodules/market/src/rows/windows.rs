//! The features of sliding windows: one list of fields, from which the type, both readers and the writer are made.

use super::exact::Exact;
use super::fields::{finite, nullable};
use crate::json::{ObjectWriter, Value};
use crate::label;

macro_rules! window_features {
    ($($(#[$doc:meta])* $name:ident: $kind:ident,)*) => {
        /// The features of the windows that end at a tick; `None` where a feature is undefined, as all are for a
        /// tick that came later than allowed.
        #[derive(Debug, Clone, Copy, Default, PartialEq)]
        pub struct WindowFeatures {
            $($(#[$doc])* pub $name: Option<window_features!(@type $kind)>,)*
        }

        /// The places of the fields in lists of them.
        #[allow(non_camel_case_types)]
        enum Place { $($name,)* }

        impl WindowFeatures {
            /// The names of the fields.
            pub(super) const NAMES: [&str; [$(stringify!($name)),*].len()] = [$(stringify!($name)),*];

            /// The place of `price_prev` in [`Self::NAMES`].
            pub(super) const PRICE_PREV: usize = Place::price_prev as usize;

            /// The field's place in [`Self::NAMES`].
            pub(super) fn place(name: &str) -> Option<usize> {
                match name {
                    $(stringify!($name) => Some(Place::$name as usize),)*
                    _ => None,
                }
            }

            /// The fields as numbers, NaN where they are undefined.
            #[inline(always)]
            pub(super) fn numbers(&self) -> [f64; Self::NAMES.len()] {
                [$(self.$name.map_or(f64::NAN, f64::from)),*]
            }

            /// Takes a field of a record; `None` if it is one of these with a value of the wrong type.
            pub(super) fn read(&mut self, name: &str, value: Value<'_>) -> Option<()> {
                match name {
                    $(stringify!($name) => self.$name = nullable(value, window_features!(@read $kind))?,)*
                    _ => {}
                }
                Some(())
            }

            /// Reads the fields exactly as [`Self::write`] writes them, and skips those whose bit in `wanted` is not set: bit n is that
            /// of the field at place n.
            #[inline(always)]
            pub(super) fn read_exactly(exact: &mut Exact<'_>, wanted: u32) -> Option<Self> {
                let mut windows = Self::default();
                $(
                    exact.skip_text(concat!(",\"", stringify!($name), "\":"))?;
                    if wanted >> Place::$name as u32 & 1 == 1 {
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

/// The version of the features' definitions. It rises when one of them changes: a model learned on the features of one version
/// says nothing about those of another.
pub const FEATURES_VERSION: u32 = 2;

impl WindowFeatures {
    /// The features of a tick about which nothing is known: all `None` but the version.
    pub fn undefined() -> Self {
        Self {
            features_version: Some(FEATURES_VERSION),
            ..Self::default()
        }
    }
}

window_features! {
    /// The version of the definitions below, [`FEATURES_VERSION`]; `None` in rows from before there were versions.
    features_version: count,
    /// The price before, if that tick is less than 90 minutes older.
    price_prev: number,
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
    /// Standard deviations between the price and the mean of its baseline: the ticks of the 15 minutes before it, where these are
    /// under 8 the newest 8 of the hour before it.
    zscore_15m: number,
    /// ln of the price / the price 15 minutes ago, in standard deviations expected for that time from the hour before it.
    return_zscore_15m: number,
    /// Mean 24-hour volume over the last 15 minutes.
    volume_ma_15m: number,
    /// 24-hour volume / its mean over the baseline of zscore_15m.
    volume_ratio: number,
    /// Price / the mean of the baseline of zscore_15m - 1.
    move_15m: number,
    /// Volume traded lately / the daily average for that time: the median over the newest 15 steps of at least 20 seconds.
    volume_surge: number,
}
