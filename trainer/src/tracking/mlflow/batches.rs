//! Splits the params, metrics and tags of a run into requests within the limits of the server.

use serde::Serialize;

use super::wire::{Batch, WireMetric, pairs};
use crate::run::{Metric, Run};

/// Limits of the server for one `log-batch`.
const PARAMS_MAX: usize = 100;
const TAGS_MAX: usize = 100;
const METRICS_MAX: usize = 1_000;
const ENTITIES_MAX: usize = 1_000;
/// Of the entities; less than the server's limit of a million bytes, which is for all of the request.
const BATCH_BYTES_MAX: usize = 900_000;

/// A run's params, metrics and tags, in their order, in requests that the server takes.
pub(super) fn batches(run_id: &str, at_ms: i64, results: &Run) -> Vec<Batch> {
    let mut batches = Batches::new(run_id);
    for pair in pairs(&results.params) {
        let batch = batches.room(&pair, |batch| batch.params.len() < PARAMS_MAX);
        batch.params.push(pair);
    }
    for pair in pairs(&results.tags) {
        let batch = batches.room(&pair, |batch| batch.tags.len() < TAGS_MAX);
        batch.tags.push(pair);
    }
    for metric in metrics(at_ms, &results.metrics) {
        let batch = batches.room(&metric, |batch| batch.metrics.len() < METRICS_MAX);
        batch.metrics.push(metric);
    }
    batches.batches
}

/// Metrics as the API takes them, without values that are not finite: JSON cannot write them.
fn metrics(at_ms: i64, metrics: &[Metric]) -> impl Iterator<Item = WireMetric> {
    let finite = metrics.iter().filter(|metric| metric.value.is_finite());
    finite.map(move |metric| WireMetric {
        key: metric.name.clone(),
        value: metric.value,
        timestamp: at_ms,
        step: metric.step,
    })
}

struct Batches<'a> {
    run_id: &'a str,
    batches: Vec<Batch>,
    last_bytes: usize,
}

impl<'a> Batches<'a> {
    fn new(run_id: &'a str) -> Self {
        Self {
            run_id,
            batches: Vec::new(),
            last_bytes: 0,
        }
    }

    /// The batch for the next entity.
    fn room(&mut self, entity: &impl Serialize, has_room: impl Fn(&Batch) -> bool) -> &mut Batch {
        let json = serde_json::to_vec(entity).expect("strings and finite numbers are JSON");
        // And a comma.
        let bytes = json.len() + 1;
        let fits = self.batches.last().is_some_and(|batch| {
            let entities = batch.params.len() + batch.tags.len() + batch.metrics.len();
            has_room(batch) && entities < ENTITIES_MAX && self.last_bytes + bytes <= BATCH_BYTES_MAX
        });
        if !fits {
            self.batches.push(Batch {
                run_id: self.run_id.to_owned(),
                ..Batch::default()
            });
            self.last_bytes = 0;
        }
        self.last_bytes += bytes;
        self.batches
            .last_mut()
            .expect("one was pushed when there was none")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(params: usize, tags: usize, metrics: usize, value: &str) -> Run {
        let map = |n| {
            (0..n)
                .map(|i| (format!("k{i}"), value.to_owned()))
                .collect()
        };
        Run {
            params: map(params),
            tags: map(tags),
            metrics: (0..metrics)
                .map(|step| Metric {
                    name: "auc".to_owned(),
                    value: 0.5,
                    step: i64::try_from(step).unwrap(),
                })
                .collect(),
            ..Run::default()
        }
    }

    #[test]
    fn batches_respect_the_limits_and_lose_nothing() {
        for results in [
            run(0, 0, 0, ""),
            run(1, 1, 1, "v"),
            run(250, 120, 2_500, "v"),
            run(300, 300, 10, &"é".repeat(3_000)),
            run(300, 300, 10, &"\"".repeat(6_000)),
        ] {
            let batches = batches("r", 7, &results);
            for batch in &batches {
                assert!(batch.params.len() <= 100 && batch.tags.len() <= 100);
                let entities = batch.params.len() + batch.tags.len() + batch.metrics.len();
                assert!((1..=1_000).contains(&entities), "{entities}");
                assert!(serde_json::to_vec(batch).unwrap().len() < 1_000_000);
            }
            let count = |of: fn(&Batch) -> usize| batches.iter().map(of).sum::<usize>();
            assert_eq!(count(|b| b.params.len()), results.params.len());
            assert_eq!(count(|b| b.tags.len()), results.tags.len());
            assert_eq!(count(|b| b.metrics.len()), results.metrics.len());
        }
    }

    #[test]
    fn values_that_are_not_finite_are_left_out() {
        let mut results = run(0, 0, 1, "");
        results.metrics[0].value = f64::NAN;
        assert!(batches("r", 0, &results).is_empty());
    }
}
