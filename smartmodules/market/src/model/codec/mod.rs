//! Model files: one for each model, exact to the bit.
//!
//! ```text
//! magic    8 bytes   "CL-MODEL"
//! format   u16       raised when anything after it changes
//! kind     u8        1 a forest, 2 a logistic regression
//! version  u32       of the features it was trained on
//! body               the inputs' names, the info, the numbers
//! checksum u32       CRC-32 of everything before it
//! ```
//!
//! Numbers are little-endian; a text comes after its length. A forest's nodes are packed into bits, in preorder: a split
//! is a 0, 4 bits of input and 8 of edge; a leaf is a 1 and 16 bits of probability. So 100 trees of 2,800 nodes take about
//! 530 KB, and fit into a SmartModule, which Kubernetes limits to 1 MB.

mod bits;
mod file;
mod forest;
mod logistic;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::forest::{Forest, Node};
    use super::super::info::{ModelInfo, TREND_UP};
    use super::super::inputs::INPUTS;
    use super::super::logistic::Logistic;
    use super::super::samples::{a_logistic, forest, info, logistic};
    use super::file::CHECKSUM_BYTES;
    use crate::rows::FEATURES_VERSION;

    proptest! {
        #![proptest_config(crate::property::cases(200))]

        #[test]
        fn a_forest_is_read_back_unchanged(forest in forest()) {
            let file = forest.to_bytes();
            prop_assert_eq!(Forest::from_bytes(&file), Ok(forest));
        }

        #[test]
        fn a_logistic_regression_is_read_back_unchanged(logistic in logistic()) {
            let file = logistic.to_bytes();
            prop_assert_eq!(Logistic::from_bytes(&file), Ok(logistic));
        }

        /// One changed, lost or added byte anywhere.
        #[test]
        fn damage_is_noticed(
            forest in forest(),
            at: prop::sample::Index,
            how in 0..3_u8,
            change in 1..=255_u8,
        ) {
            let mut file = forest.to_bytes();
            let at = at.index(file.len());
            match how {
                0 => file[at] ^= change,
                1 => file.truncate(at),
                _ => file.insert(at, file[at] ^ change),
            }
            prop_assert!(Forest::from_bytes(&file).is_err());
        }
    }

    /// The file after a change, with the right checksum.
    fn changed(mut file: Vec<u8>, change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        file.truncate(file.len() - CHECKSUM_BYTES);
        change(&mut file);
        file.extend(crc32fast::hash(&file).to_le_bytes());
        file
    }

    #[test]
    fn an_unreadable_file_is_refused_with_the_reason() {
        let file = a_logistic(0).to_bytes();
        let said = |file: &[u8]| Logistic::from_bytes(file).unwrap_err().to_string();
        assert_eq!(
            said(b"PAR1"),
            "this is not a Coinlake model: give a file that `coinlake train` wrote"
        );
        assert_eq!(
            said(&changed(file.clone(), |file| file[8] = 3)),
            "the model is of format 3, this version of Coinlake reads format 2: use the version that trained it, or \
             train it again with this one"
        );
        let mut damaged = file.clone();
        damaged[44] ^= 1;
        assert_eq!(
            said(&damaged),
            "the model is damaged (its checksum does not match): fetch it from the registry again, or train it again"
        );
        assert_eq!(
            said(&changed(file.clone(), |file| file.push(0))),
            "the model is damaged (there are bytes after its end): fetch it from the registry again, or train it again"
        );
        assert_eq!(
            said(&changed(file.clone(), |file| file.truncate(file.len() - 1))),
            "the model is damaged (it ends too early): fetch it from the registry again, or train it again"
        );
        assert_eq!(
            Forest::from_bytes(&file).unwrap_err().to_string(),
            "this is a logistic regression, a forest is needed"
        );
        let other = changed(file, |file| {
            let at = file.windows(9).position(|name| name == b"return_1m");
            file[at.unwrap() + 7] = b'2';
        });
        assert!(
            said(&other)
                .starts_with("the model was trained on other inputs (return_2m, return_5m, ")
        );
        assert!(said(&other).ends_with(
            "this version of Coinlake has return_1m, return_5m, return_15m, volatility_5m, volatility_15m, \
             price_to_ma_5m, price_to_ma_15m, zscore_15m, return_zscore_15m, volume_ratio, volume_surge, move_15m, \
             samples_15m, hour_of_day: train it again with this one"
        ));
    }

    #[test]
    fn a_model_of_other_features_is_refused() {
        let of = |features_version| {
            let info = ModelInfo {
                features_version,
                ..info(TREND_UP)
            };
            let (zeros, ones) = ([0.0; INPUTS.len()], [1.0; INPUTS.len()]);
            let file = Logistic::new(info, zeros, ones, ones, 0.0)
                .unwrap()
                .to_bytes();
            Logistic::from_bytes(&file)
        };
        assert!(of(FEATURES_VERSION).is_ok());
        for (found, outdated) in [(FEATURES_VERSION - 1, true), (FEATURES_VERSION + 1, false)] {
            let error = of(found).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!(
                    "the model was trained on features of version {found}, this version of Coinlake computes version \
                     {FEATURES_VERSION}: train it again with this one"
                )
            );
            assert_eq!(error.is_outdated(), outdated);
        }
        // The format of before said nothing about features: they were those of version 1.
        let file = changed(a_logistic(0).to_bytes(), |file| file[8] = 1);
        assert!(Logistic::from_bytes(&file).unwrap_err().is_outdated());
    }

    #[test]
    fn a_full_forest_fits_the_slot() {
        let tree: Vec<_> = std::iter::repeat_n(
            [
                Node::Split {
                    feature: 13,
                    bin: 254,
                },
                Node::Leaf { q: 9 },
            ],
            1_400,
        )
        .flatten()
        .chain([Node::Leaf { q: u16::MAX }])
        .collect();
        let edges = std::array::from_fn(|_| (0..255).map(f64::from).collect());
        let forest = Forest::new(info("anomaly_ahead"), edges, vec![tree; 100]).unwrap();
        let bytes = forest.to_bytes().len();
        assert!(bytes < 560_000, "{bytes}");
        assert_eq!(Forest::from_bytes(&forest.to_bytes()), Ok(forest));
    }
}
