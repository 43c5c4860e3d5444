//! What becomes of a version in production.

use std::collections::BTreeMap;

use market::FEATURES_VERSION;
use market::model::{ANOMALY_AHEAD, Forest, INPUTS, ModelInfo, Node};
use trainer::production::{current, production_pair};
use trainer::promotion::Current;
use trainer::tracking::{Alias, LocalTracking, Tracking};
use trainer::{Label, Run, TrainedModel};

use crate::runs::beginning;

/// It would fail every deployment, and so every start of the platform.
#[tokio::test]
async fn a_forest_that_is_too_large_for_the_slot_is_replaced_like_none() {
    let info = ModelInfo {
        name: ANOMALY_AHEAD.to_owned(),
        version: 0,
        run: String::new(),
        features_version: FEATURES_VERSION,
        fill: [0.0; INPUTS.len()],
        trained_from_ms: 0,
        trained_to_ms: 1,
        rows: 1,
        threshold: 0.5,
    };
    let edges: [Vec<f64>; INPUTS.len()] = std::array::from_fn(|_| vec![0.0]);
    let split = [Node::Split { feature: 0, bin: 0 }, Node::Leaf { q: 0 }];
    let tree = [split.repeat(100), vec![Node::Leaf { q: 1 }]].concat();
    let folder = tempfile::tempdir().unwrap();
    let tracking = LocalTracking::new(folder.path());
    let promoted = async |trees: usize| {
        let forest = Forest::new(info.clone(), edges.clone(), vec![tree.clone(); trees]);
        let results = Run {
            models: vec![TrainedModel {
                name: ANOMALY_AHEAD.to_owned(),
                bytes: forest.unwrap().to_bytes(),
                metrics: BTreeMap::new(),
            }],
            ..Run::default()
        };
        let run = tracking.start(&beginning("large")).await.unwrap();
        tracking.finish(&run, 1, &results).await.unwrap();
        let version = tracking.register(&run, ANOMALY_AHEAD).await.unwrap();
        let moved = tracking.set_alias(ANOMALY_AHEAD, Alias::Production, version.version);
        moved.await.unwrap();
        let pair = production_pair(&tracking).await;
        (pair, current(&tracking, Label::AnomalyAhead).await)
    };

    let ((pair, problems), now) = promoted(1_000).await;
    assert!(pair.anomaly.is_some() && problems.is_empty());
    assert!(matches!(now, Current::Model { version: 1, .. }));

    let ((pair, problems), now) = promoted(2_000).await;
    let said = problems[0].1.to_string();
    assert!(
        said.starts_with("anomaly_ahead/2 of")
            && said.contains("no longer serves: the models take"),
        "{said}"
    );
    assert!(pair.is_empty());
    assert!(matches!(now, Current::Outdated { version: 2 }));
}
