//! A logistic regression's file.

use super::super::error::ModelError;
use super::super::logistic::Logistic;
use super::file::{Kind, Reader, TOO_LONG, Writer};

impl Logistic {
    /// The model file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Writer::start(Kind::Logistic, &self.info);
        out.numbers(self.mean());
        out.numbers(self.scale());
        out.numbers(self.weights());
        out.numbers(&[self.intercept()]);
        out.finish()
    }

    /// Reads a model file.
    ///
    /// # Errors
    ///
    /// When the bytes are not a valid logistic regression of this format.
    pub fn from_bytes(file: &[u8]) -> Result<Self, ModelError> {
        let (info, mut body) = Reader::start(file, Kind::Logistic)?;
        let (mean, scale, weights) = (body.inputs()?, body.inputs()?, body.inputs()?);
        let intercept = body.f64()?;
        if !body.rest.is_empty() {
            return Err(TOO_LONG);
        }
        Self::new(info, mean, scale, weights, intercept)
    }
}
