//! Predictions for feature rows; the only memory serves to skip duplicates.

use std::ops::Range;

use super::inputs::Inputs;
use super::logistic::Logistic;
use super::pair::ModelPair;
use super::row::Row;
use super::walk::ForestWalk;
use crate::duplicates::SourceOffsets;
use crate::json::ObjectWriter;
use crate::label;
use crate::params::{Emit, ParamError, Params};
use crate::record::{Input, Output};

/// Parameters of crypto-predict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PredictParams {
    /// `predictions` (default) or `all`.
    pub emit: Emit,
}

impl Default for PredictParams {
    fn default() -> Self {
        Self {
            emit: Emit::Only("prediction"),
        }
    }
}

impl PredictParams {
    /// Reads `emit`.
    ///
    /// # Errors
    ///
    /// [`ParamError`] names the parameter and the values it accepts.
    pub fn parse(mut params: Params) -> Result<Self, ParamError> {
        let emit = params.take_emit(&[("predictions", "prediction")])?;
        params.finish()?;
        Ok(Self { emit })
    }
}

/// Predicts for records of crypto-features.
///
/// ```
/// use market::model::{ModelPair, PredictParams, Predictor};
/// use market::{Emit, Input, Output};
///
/// // Without models there is no prediction; with `emit` = `all` there still is an output.
/// let mut predictor = Predictor::new(PredictParams { emit: Emit::All }, ModelPair::default());
/// let input = Input { offset: 7, timestamp_ms: 0, key: None, value: b"{}" };
/// let mut output = Output::new();
/// assert!(predictor.process(&input, &mut output));
/// assert_eq!(output.value(), br#"{"source_offset":7,"status":"none"}"#);
/// ```
#[derive(Debug, Clone)]
pub struct Predictor {
    params: PredictParams,
    anomaly: Option<Labelled<ForestWalk>>,
    trend: Option<Labelled<Logistic>>,
    seen: SourceOffsets,
    batch: Batch,
}

/// A model and its name in predictions.
#[derive(Debug, Clone)]
struct Labelled<M> {
    label: String,
    model: M,
}

/// A batch of records that was read; its outputs are taken one by one.
#[derive(Debug, Clone, Default)]
struct Batch {
    /// One for each record; `None` if there is no prediction for it.
    rows: Vec<Option<ReadRow>>,
    /// How many outputs were taken.
    taken: usize,
    /// The coins of all rows, concatenated.
    coins: String,
    /// The inputs of each row that has a prediction, in order.
    inputs: Vec<Inputs>,
    anomaly: Vec<f64>,
    trend: Vec<f64>,
}

#[derive(Debug, Clone)]
struct ReadRow {
    /// Its range in [`Batch::coins`].
    coin: Range<usize>,
    raw_offset: Option<i64>,
    event_time: i64,
    price: f64,
    /// Its index in [`Batch::inputs`].
    place: usize,
}

impl Predictor {
    /// A predictor with these models. Without any model it makes no predictions.
    pub fn new(params: PredictParams, models: ModelPair) -> Self {
        Self {
            params,
            anomaly: models.anomaly.map(|forest| Labelled {
                label: forest.info.label(),
                model: ForestWalk::new(&forest),
            }),
            trend: models.trend.map(|model| Labelled {
                label: model.info.label(),
                model,
            }),
            seen: SourceOffsets::default(),
            batch: Batch::default(),
        }
    }

    /// Reads records and predicts for all of them at once, which is many times faster than one by one. Then call
    /// [`Self::next_output`] for each of them, in order; outputs of the batch before that were not taken are dropped.
    pub fn predict_batch<'a>(&mut self, records: impl Iterator<Item = Input<'a>>) {
        self.batch.clear();
        if self.anomaly.is_none() && self.trend.is_none() {
            return;
        }
        for record in records {
            let row = self.read(&record);
            self.batch.push(row);
        }
        let inputs = &self.batch.inputs;
        if let Some(anomaly) = &self.anomaly {
            self.batch.anomaly = anomaly.model.probabilities(inputs);
        }
        if let Some(trend) = &self.trend {
            let probabilities = inputs.iter().map(|row| trend.model.probability(row));
            self.batch.trend.extend(probabilities);
        }
    }

    /// Writes the output of the next record of the batch; `false` if it has none.
    pub fn next_output(&mut self, input: &Input<'_>, output: &mut Output) -> bool {
        let batch = &mut self.batch;
        let row = batch.rows.get_mut(batch.taken).and_then(Option::take);
        batch.taken += 1;
        match row {
            Some(row) => self.write(&row, input.offset, output),
            None if self.params.emit == Emit::All => output.none(input.offset),
            None => return false,
        }
        true
    }

    /// Predicts for one record; `false` if there is no output.
    pub fn process(&mut self, input: &Input<'_>, output: &mut Output) -> bool {
        self.predict_batch(std::iter::once(*input));
        self.next_output(input, output)
    }

    /// A record of crypto-features, unless it is a duplicate.
    fn read<'a>(&mut self, input: &Input<'a>) -> Option<Row<'a>> {
        let row = Row::read(input.value)?;
        self.seen.is_new(row.source_offset).then_some(row)
    }

    fn write(&self, row: &ReadRow, source_offset: i64, output: &mut Output) {
        let coin = &self.batch.coins[row.coin.clone()];
        let probability = |of: &[f64]| of.get(row.place).copied();
        output.start(Some(coin.as_bytes()));
        let mut object = ObjectWriter::record(&mut output.value, source_offset, "prediction");
        object.optional_integer(label!("raw_offset"), row.raw_offset);
        object.text(label!("coin"), coin);
        object.integer(label!("event_time"), row.event_time);
        object.number(label!("price"), row.price);
        object.optional_number(
            label!("anomaly_probability"),
            probability(&self.batch.anomaly),
        );
        object.optional_number(
            label!("trend_up_probability"),
            probability(&self.batch.trend),
        );
        let anomaly = self.anomaly.as_ref().map(|anomaly| &*anomaly.label);
        object.optional_text(label!("anomaly_model"), anomaly);
        let trend = self.trend.as_ref().map(|trend| &*trend.label);
        object.optional_text(label!("trend_model"), trend);
        object.end();
    }
}

impl Batch {
    fn clear(&mut self) {
        self.rows.clear();
        self.taken = 0;
        self.coins.clear();
        self.inputs.clear();
        self.anomaly.clear();
        self.trend.clear();
    }

    fn push(&mut self, row: Option<Row<'_>>) {
        let row = row.map(|row| {
            let start = self.coins.len();
            self.coins.push_str(&row.coin);
            self.inputs.push(row.inputs());
            ReadRow {
                coin: start..self.coins.len(),
                raw_offset: row.raw_offset,
                event_time: row.event_time,
                price: row.price,
                place: self.inputs.len() - 1,
            }
        });
        self.rows.push(row);
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{a_forest, a_logistic};
    use super::*;
    use crate::rows::FEATURES_VERSION;

    fn features(source_offset: i64, z: &str) -> String {
        format!(
            r#"{{"zscore_15m":{z},"return_1m":0.001,"price":2.5e-7,"event_time":5,"coin":"bit\"coin","status":"features","features_version":{FEATURES_VERSION},"raw_offset":3,"source_offset":{source_offset}}}"#
        )
    }

    fn outputs(predictor: &mut Predictor, records: &[String]) -> Vec<Option<String>> {
        let inputs = (20..).zip(records).map(|(offset, value)| Input {
            offset,
            timestamp_ms: 1,
            key: None,
            value: value.as_bytes(),
        });
        predictor.predict_batch(inputs.clone());
        let mut output = Output::new();
        inputs
            .map(|input| {
                let written = predictor.next_output(&input, &mut output);
                written.then(|| String::from_utf8(output.value().to_vec()).unwrap())
            })
            .collect()
    }

    fn predictor(emit: Emit, anomaly: u32, trend: u32) -> Predictor {
        let models = ModelPair {
            anomaly: (anomaly > 0).then(|| a_forest(anomaly)),
            trend: (trend > 0).then(|| a_logistic(trend)),
        };
        Predictor::new(PredictParams { emit }, models)
    }

    #[test]
    fn a_prediction_names_its_models() {
        let records = [features(7, "3.5"), features(8, "null")];
        let both = outputs(&mut predictor(Emit::All, 3, 2), &records);
        let trend = 1.0 / (1.0 + libm::exp(-0.1));
        let expected = format!(
            r#"{{"source_offset":20,"status":"prediction","raw_offset":3,"coin":"bit\"coin","event_time":5,"price":2.5e-7,"anomaly_probability":1,"trend_up_probability":{trend},"anomaly_model":"anomaly_ahead/3","trend_model":"trend_up/2"}}"#
        );
        assert_eq!(both[0].as_deref(), Some(&*expected));
        // The fill for an absent z-score is 7.
        assert!(
            both[1]
                .as_deref()
                .unwrap()
                .contains(r#""anomaly_probability":1,"#)
        );

        let one = outputs(&mut predictor(Emit::All, 1, 0), &records);
        assert!(one[0].as_deref().unwrap().ends_with(
            r#""anomaly_probability":1,"trend_up_probability":null,"anomaly_model":"anomaly_ahead/1","trend_model":null}"#
        ));
    }

    #[test]
    fn without_models_there_are_no_predictions() {
        let records = [features(7, "3.5"), "garbage".to_owned()];
        let none = outputs(&mut predictor(Emit::All, 0, 0), &records);
        assert_eq!(
            none,
            [20, 21].map(|offset| Some(format!(r#"{{"source_offset":{offset},"status":"none"}}"#)))
        );
        let default = PredictParams::default().emit;
        assert_eq!(
            outputs(&mut predictor(default, 0, 0), &records),
            [None, None]
        );
    }

    #[test]
    fn duplicates_and_other_records_get_no_prediction() {
        let mut predictor = predictor(PredictParams::default().emit, 1, 1);
        let records = [
            features(7, "1"),
            features(7, "1"),
            features(6, "1"),
            "{}".to_owned(),
            features(8, "\"high\""),
            features(9, "1").replace("features", "none"),
            features(10, "1").replace("2.5e-7", "0"),
            features(11, "1").replace("_version\":2", "_version\":1"),
            features(12, "1").replace("features_version", "x"),
            features(13, "1"),
        ];
        let predicted = outputs(&mut predictor, &records);
        let predicted: Vec<_> = predicted.iter().map(Option::is_some).collect();
        assert_eq!(
            predicted,
            [
                true, false, false, false, false, false, false, false, false, true
            ]
        );
        assert_eq!(outputs(&mut predictor, &records[9..]), [None]);
    }

    #[test]
    fn one_by_one_or_in_a_batch_predictions_are_the_same() {
        let z = |n: i64| (n % 7).to_string();
        let records: Vec<_> = (0..50).map(|n| features(n, &z(n))).collect();
        let together = outputs(&mut predictor(Emit::All, 1, 1), &records);
        let mut alone = predictor(Emit::All, 1, 1);
        let mut output = Output::new();
        for ((offset, value), together) in (20..).zip(&records).zip(together) {
            let input = Input {
                offset,
                timestamp_ms: 1,
                key: None,
                value: value.as_bytes(),
            };
            assert!(alone.process(&input, &mut output));
            assert_eq!(output.value(), together.unwrap().as_bytes());
        }
    }
}
