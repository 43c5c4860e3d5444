//! The fields of a crypto-features record that a prediction needs.

use std::borrow::Cow;

use super::inputs::{Inputs, inputs};
use crate::rows::{FEATURES_VERSION, FeaturesRecord, FieldSet, WindowFeatures};

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row<'a> {
    pub(super) source_offset: Option<i64>,
    pub(super) raw_offset: Option<i64>,
    pub(super) coin: Cow<'a, str>,
    pub(super) event_time: i64,
    pub(super) price: f64,
    windows: WindowFeatures,
}

impl<'a> Row<'a> {
    /// `None` for any other record, and for one whose features are of another version.
    #[inline]
    pub(super) fn read(payload: &'a [u8]) -> Option<Self> {
        FeaturesRecord::read(payload, USED).and_then(Self::of)
    }

    #[inline(always)]
    fn of(record: FeaturesRecord<'a>) -> Option<Self> {
        // The numbers of another definition mean something else to a model.
        let known = record.windows.features_version == Some(FEATURES_VERSION);
        (known && record.price > 0.0).then_some(Self {
            source_offset: record.source_offset,
            raw_offset: record.raw_offset,
            coin: record.coin,
            event_time: record.event_time,
            price: record.price,
            windows: record.windows,
        })
    }

    /// The models' inputs.
    #[inline]
    pub(super) fn inputs(&self) -> Inputs {
        inputs(self.price, self.event_time, &self.windows)
    }
}

/// The fields that a prediction needs.
const USED: FieldSet = FieldSet::of(&[
    "features_version",
    "ma_5m",
    "ma_15m",
    "samples_15m",
    "volatility_5m",
    "volatility_15m",
    "return_1m",
    "return_5m",
    "return_15m",
    "zscore_15m",
    "return_zscore_15m",
    "volume_ratio",
    "move_15m",
    "volume_surge",
]);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::record::Output;
    use crate::rows::{Clean, EVENT_TIME_MAX, Features};

    fn number() -> impl Strategy<Value = f64> {
        prop_oneof![
            prop::num::f64::NORMAL,
            (any::<i32>(), 0..12_i32)
                .prop_map(|(digits, decimals)| f64::from(digits) / 10_f64.powi(decimals)),
            -1e-3..1e-3_f64,
        ]
    }

    prop_compose! {
        fn features()(
            coin in prop_oneof![Just("bitcoin".to_owned()), any::<String>()],
            event_time in prop_oneof![0..2_000_000_000_000_i64, any::<i64>()],
            price in number(),
            samples_15m in prop::option::of(any::<u32>()),
            features_version in prop_oneof![4 => Just(Some(FEATURES_VERSION)), 1 => prop::option::of(0..4_u32)],
            backfilled: bool,
            raw_offset in prop::option::of(0..10_000_i64),
            some in prop::array::uniform19(prop::option::weighted(0.8, number())),
        ) -> Features<'static> {
            Features {
                clean: Clean {
                    raw_offset,
                    coin: coin.into(),
                    symbol: "s".into(),
                    event_time,
                    fetched_at: some[0].map(|number| number as i64),
                    price,
                    market_cap: some[1],
                    volume_24h: some[2],
                    change_24h_pct: some[3],
                    backfilled,
                },
                windows: WindowFeatures {
                    features_version,
                    price_prev: some[16],
                    ma_1m: some[4],
                    ma_5m: some[5],
                    ma_15m: some[6],
                    samples_1m: Some(1),
                    samples_5m: None,
                    samples_15m,
                    log_return: some[7],
                    volatility_1m: None,
                    volatility_5m: some[8],
                    volatility_15m: some[9],
                    return_1m: some[10],
                    return_5m: some[11],
                    return_15m: some[12],
                    zscore_15m: some[13],
                    return_zscore_15m: some[17],
                    volume_ma_15m: some[1],
                    volume_ratio: some[14],
                    move_15m: some[18],
                    volume_surge: some[15],
                },
            }
        }
    }

    proptest! {
        #![proptest_config(crate::property::cases(5_000))]

        #[test]
        fn fast_and_general_reader_agree(
            features in features(),
            source_offset: i64,
            damage in prop::collection::vec(
                (any::<prop::sample::Index>(), prop::sample::select(&b"{}\",:\\0129.eE- \xc3nul"[..]), 0..3u8), 0..3
            ),
        ) {
            let mut output = Output::new();
            features.write(source_offset, None, &mut output);
            let mut text = output.value().to_vec();
            for (at, byte, how) in damage {
                let at = at.index(text.len());
                match how {
                    0 => text[at] = byte,
                    1 => text.insert(at, byte),
                    _ => { text.remove(at); }
                }
            }
            // A reader that wants few fields skips those that others read.
            let little = FieldSet::of(&["samples_1m", "zscore_15m", "market_cap", "change_24h_pct"]);
            for wanted in [USED, little] {
                if let Some(exact) = FeaturesRecord::read_exactly(&text, wanted) {
                    let general = FeaturesRecord::read_generally(&text, wanted);
                    prop_assert_eq!(Some(exact), general, "{}", String::from_utf8_lossy(&text));
                }
            }
        }

        /// A row read from its record has the inputs that the trainer computes.
        #[test]
        fn broker_and_trainer_compute_the_same_inputs(features in features(), source_offset in 0..i64::MAX) {
            let mut output = Output::new();
            features.write(source_offset, None, &mut output);
            let row = Row::read(output.value());
            let sound = features.windows.features_version == Some(FEATURES_VERSION)
                && features.clean.price > 0.0
                && features.clean.event_time.abs() <= EVENT_TIME_MAX;
            prop_assert_eq!(row.is_some(), sound);
            if let Some(row) = row {
                let inputs = inputs(row.price, row.event_time, &features.windows);
                prop_assert_eq!(row.inputs().map(f64::to_bits), inputs.map(f64::to_bits));
                prop_assert_eq!(row.coin, features.clean.coin);
            }
        }
    }

    #[test]
    fn fast_reader_accepts_what_is_written() {
        let features = Features {
            clean: Clean {
                raw_offset: Some(5),
                coin: "bitcoin".into(),
                symbol: "btc".into(),
                event_time: 1_672_679_293_102,
                fetched_at: None,
                price: 16730.75,
                market_cap: Some(322_053_364_166.0),
                volume_24h: None,
                change_24h_pct: Some(-0.96122),
                backfilled: false,
            },
            windows: WindowFeatures {
                features_version: Some(FEATURES_VERSION),
                return_1m: Some(-1.25e-7),
                samples_15m: Some(15),
                ..Default::default()
            },
        };
        let mut output = Output::new();
        features.write(7, None, &mut output);
        let row = FeaturesRecord::read_exactly(output.value(), USED).unwrap();
        assert_eq!((row.source_offset, row.price), (Some(7), 16730.75));
        assert_eq!(row.windows, features.windows);
    }
}
