//! The models: their inputs, their numbers, their files and their predictions.
//!
//! - [`inputs`] computes both models' inputs from a feature row; trainer and SmartModule both call it
//! - [`Forest`] (`anomaly_ahead`) and [`Logistic`] (`trend_up`), each with its [`ModelInfo`] and its file
//! - [`ForestWalk`]: a forest prepared for fast predictions
//! - [`ModelPair`]: the models that crypto-predict serves; [`slot`] is their place in the module's wasm
//! - [`Predictor`] turns feature records into predictions
//!
//! Always true: a row gets the same bits on every platform, whatever rows come before it or with it.

mod codec;
mod error;
mod forest;
mod info;
mod inputs;
mod logistic;
mod pair;
mod predictor;
mod row;
#[cfg(test)]
mod samples;
pub mod slot;
mod walk;

pub use error::ModelError;
pub use forest::{EDGES_MAX, Forest, NODES_MAX, Node, TREES_MAX};
pub use info::{ANOMALY_AHEAD, ModelInfo, TREND_UP};
pub use inputs::{HOUR_OF_DAY, INPUTS, Inputs, inputs};
pub use logistic::Logistic;
pub use pair::ModelPair;
pub use predictor::{PredictParams, Predictor};
pub use walk::ForestWalk;
