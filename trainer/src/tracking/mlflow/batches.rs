//! Splits the params, metrics and tags of a run into requests within the limits of the server.

use super::wire::{Batch, WireMetric, pairs};
use crate::run::{Metric, Run};

/// The server takes no more in one `log-batch`.
const PARAMS_MAX: usize = 100;
const TAGS_MAX: usize = 100;
const METRICS_MAX: usize = 1_000;
const ENTITIES_MAX: usize = 1_000;
/// Less than the server's limit of a million bytes, for what JSON adds around names and values.
const BATCH_BYTES_MAX: usize = 700_000;
/// What JSON adds around one of them, at most: keys, quotes, a time and a step.
const ENTITY_BYTES: usize = 120;

/// Everything of a run that is not a file, in as many requests as the server's limits ask for.
pub(super) fn batches(run_id: &str, at_ms: i64, given: &Run) -> Vec<Batch> {
    let mut batches = Batches::new(run_id);
    for pair in pairs(&given.params) {
        batches
            .room(pair.key.len() + pair.value.len(), |b| {
                b.params.len() < PARAMS_MAX
            })
            .params
            .push(pair);
    }
    for pair in pairs(&given.tags) {
        batches
            .room(pair.key.len() + pair.value.len(), |b| {
                b.tags.len() < TAGS_MAX
            })
            .tags
            .push(pair);
    }
    for metric in metrics(at_ms, &given.metrics) {
        batches
            .room(metric.key.len(), |b| b.metrics.len() < METRICS_MAX)
            .metrics
            .push(metric);
    }
    batches.full
}

/// Metrics as the API takes them. JSON has no word for what is not finite: nothing to say, so nothing is said.
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
    full: Vec<Batch>,
    bytes: usize,
}

impl<'a> Batches<'a> {
    fn new(run_id: &'a str) -> Self {
        Self {
            run_id,
            full: Vec::new(),
            bytes: 0,
        }
    }

    /// The batch that the next of `bytes` goes into.
    fn room(&mut self, bytes: usize, has_room: impl Fn(&Batch) -> bool) -> &mut Batch {
        let bytes = bytes + ENTITY_BYTES;
        let fits = self.full.last().is_some_and(|batch| {
            let entities = batch.params.len() + batch.tags.len() + batch.metrics.len();
            has_room(batch) && entities < ENTITIES_MAX && self.bytes + bytes <= BATCH_BYTES_MAX
        });
        if !fits {
            self.full.push(Batch {
                run_id: self.run_id.to_owned(),
                ..Batch::default()
            });
            self.bytes = 0;
        }
        self.bytes += bytes;
        self.full
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
    fn batches_keep_to_the_servers_limits_and_lose_nothing() {
        for given in [
            run(0, 0, 0, ""),
            run(1, 1, 1, "v"),
            run(250, 120, 2_500, "v"),
            run(300, 300, 10, &"é".repeat(3_000)),
        ] {
            let batches = batches("r", 7, &given);
            for batch in &batches {
                assert!(batch.params.len() <= 100 && batch.tags.len() <= 100);
                let entities = batch.params.len() + batch.tags.len() + batch.metrics.len();
                assert!((1..=1_000).contains(&entities), "{entities}");
                assert!(serde_json::to_vec(batch).unwrap().len() < 1_000_000);
            }
            let count = |of: fn(&Batch) -> usize| batches.iter().map(of).sum::<usize>();
            assert_eq!(count(|b| b.params.len()), given.params.len());
            assert_eq!(count(|b| b.tags.len()), given.tags.len());
            assert_eq!(count(|b| b.metrics.len()), given.metrics.len());
        }
    }

    #[test]
    fn what_is_not_a_number_is_not_sent() {
        let mut given = run(0, 0, 1, "");
        given.metrics[0].value = f64::NAN;
        assert!(batches("r", 0, &given).is_empty());
    }
}
