//! The synthetic market through the very code that runs in the broker: what was injected is what comes out.

use std::collections::BTreeMap;

use market::{
    AnomalyParams, AnomalyRule, CleanParams, Cleaner, FeatureParams, Featurizer, Input, Reason,
    Severity,
};
use replay::{InjectedKind, Market, Quality, Step, SyntheticMarket};

/// 2026-01-01: after everything in the market, before the tick of the year 2100.
const ARRIVAL_MS: i64 = 1_767_225_600_000;

struct Outcome {
    rejected: BTreeMap<Reason, usize>,
    /// Coin, event time and severity.
    alerts: Vec<(String, i64, Severity)>,
    clean: u64,
}

fn run(market: &Market) -> Outcome {
    let mut cleaner = Cleaner::new(CleanParams::default());
    let mut featurizer = Featurizer::new(FeatureParams::default());
    let rule = AnomalyRule::new(AnomalyParams::default());
    let mut outcome = Outcome {
        rejected: BTreeMap::new(),
        alerts: Vec::new(),
        clean: 0,
    };
    let (mut steps, mut step, mut offset) = (market.steps().unwrap(), Step::default(), 0);
    while steps.next_into(&mut step).unwrap() {
        for element in step.elements() {
            let input = Input {
                offset,
                timestamp_ms: ARRIVAL_MS,
                key: element.key.map(|key| key.as_bytes()),
                value: element.json,
            };
            offset += 1;
            match cleaner.clean(&input) {
                Err(rejected) => *outcome.rejected.entry(rejected.reason).or_default() += 1,
                Ok(clean) => {
                    outcome.clean += 1;
                    let row = featurizer.row(clean);
                    if let Some(alert) = rule.judge_row(&row)
                        && alert.severity >= Severity::Warning
                    {
                        let coin = row.clean.coin.to_string();
                        outcome
                            .alerts
                            .push((coin, row.clean.event_time, alert.severity));
                    }
                }
            }
        }
    }
    outcome
}

fn quality(market: &Market, outcome: &Outcome) -> Quality {
    let alerts = outcome
        .alerts
        .iter()
        .map(|(coin, time, _)| (coin.as_str(), *time));
    Quality::measure(market.truth(), alerts)
}

#[test]
fn each_bad_payload_is_rejected_for_its_reason_and_nothing_else_is() {
    for seed in [SyntheticMarket::SEED, 1, 2, 3] {
        let market = Market::Synthetic(SyntheticMarket::new(seed, SyntheticMarket::MINUTES));
        let records_total = market.records_total().unwrap();
        let outcome = run(&market);
        let mut injected = BTreeMap::new();
        for bad in market.truth() {
            if let InjectedKind::Bad(reason) = bad.kind {
                *injected.entry(reason).or_default() += 1;
            }
        }
        println!("seed {seed}: {} records, {injected:?}", records_total);
        assert_eq!(outcome.rejected, injected, "seed {seed}");
        let rejected: usize = outcome.rejected.values().sum();
        assert_eq!(
            outcome.clean + rejected as u64,
            records_total,
            "seed {seed}"
        );
    }
}

#[test]
fn alerts_find_what_was_injected_and_little_else() {
    for seed in [SyntheticMarket::SEED, 1, 2, 3, 4, 5] {
        let market = Market::Synthetic(SyntheticMarket::new(seed, SyntheticMarket::MINUTES));
        let outcome = run(&market);
        let quality = quality(&market, &outcome);
        println!(
            "seed {seed}: {quality:?}, precision {:.3}, recall {:.3}",
            quality.precision(),
            quality.recall()
        );
        assert!(quality.events >= 80, "seed {seed}: {quality:?}");
        assert!(quality.precision() >= 0.9, "seed {seed}: {quality:?}");
        assert!(quality.recall() >= 0.9, "seed {seed}: {quality:?}");
    }
}
