//! The models that crypto-predict serves.

use super::error::ModelError;
use super::forest::Forest;
use super::logistic::Logistic;

/// Up to one of each model. A missing model makes no predictions.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ModelPair {
    /// `anomaly_ahead`
    pub anomaly: Option<Forest>,
    /// `trend_up`
    pub trend: Option<Logistic>,
}

impl ModelPair {
    /// Whether both are missing.
    pub fn is_empty(&self) -> bool {
        self.anomaly.is_none() && self.trend.is_none()
    }

    /// These models, and those of `other` where one is missing.
    pub fn or(self, other: Self) -> Self {
        Self {
            anomaly: self.anomaly.or(other.anomaly),
            trend: self.trend.or(other.trend),
        }
    }

    /// The models' labels, such as `anomaly_ahead/3`.
    pub fn labels(&self) -> Vec<String> {
        let anomaly = self.anomaly.iter().map(|model| model.info.label());
        let trend = self.trend.iter().map(|model| model.info.label());
        anomaly.chain(trend).collect()
    }

    /// Both model files, each after its length; a missing model has length 0.
    pub fn to_bytes(&self) -> Vec<u8> {
        let files = [
            self.anomaly.as_ref().map(Forest::to_bytes),
            self.trend.as_ref().map(Logistic::to_bytes),
        ];
        let mut bytes = Vec::new();
        for file in files.map(Option::unwrap_or_default) {
            bytes.extend((file.len() as u32).to_le_bytes());
            bytes.extend(file);
        }
        bytes
    }

    /// Reads what [`Self::to_bytes`] wrote.
    ///
    /// # Errors
    ///
    /// When one of the models cannot be used.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ModelError> {
        let (anomaly, rest) = file(bytes)?;
        let (trend, rest) = file(rest)?;
        if !rest.is_empty() {
            return Err(ModelError::Damaged("there are bytes after its end"));
        }
        Ok(Self {
            anomaly: anomaly.map(Forest::from_bytes).transpose()?,
            trend: trend.map(Logistic::from_bytes).transpose()?,
        })
    }
}

/// Splits off a file, `None` if its length is 0.
fn file(bytes: &[u8]) -> Result<(Option<&[u8]>, &[u8]), ModelError> {
    let short = ModelError::Damaged("it ends too early");
    let (len, rest) = bytes.split_first_chunk().ok_or(short.clone())?;
    let len = u32::from_le_bytes(*len) as usize;
    let (file, rest) = rest.split_at_checked(len).ok_or(short)?;
    Ok(((len > 0).then_some(file), rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::samples::{a_logistic, forest, logistic};
    use super::*;

    proptest! {
        #![proptest_config(crate::property::cases(100))]

        #[test]
        fn a_pair_is_read_back_unchanged(
            anomaly in prop::option::of(forest()),
            trend in prop::option::of(logistic()),
        ) {
            let pair = ModelPair { anomaly, trend };
            prop_assert_eq!(ModelPair::from_bytes(&pair.to_bytes()), Ok(pair));
        }
    }

    #[test]
    fn a_missing_model_is_taken_from_the_other_pair() {
        let trend = |version| ModelPair {
            anomaly: None,
            trend: Some(a_logistic(version)),
        };
        let (one, two) = (trend(1), trend(2));
        assert_eq!(one.clone().or(two.clone()), one);
        assert_eq!(ModelPair::default().or(two.clone()), two);
        assert_eq!(two.labels(), ["trend_up/2"]);
        assert!(ModelPair::default().is_empty() && !two.is_empty());
    }
}
