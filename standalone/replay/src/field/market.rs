//! The field market: what it consists of and its truth.

use std::collections::HashMap;
use std::sync::Arc;

use super::catalogue::catalogue;
use super::delivery::frozen_spells;
use super::events::{FieldEvent, plan};
use super::settings::FieldSettings;
use super::steps::FieldSteps;

/// A synthetic market that is delivered as CoinGecko delivers, with known events in it.
#[derive(Debug, Clone)]
pub struct FieldMarket {
    settings: FieldSettings,
    truth: Arc<[FieldEvent]>,
    categories: Arc<HashMap<Arc<str>, &'static str>>,
}

impl FieldMarket {
    /// Plans the market.
    pub fn new(settings: FieldSettings) -> Self {
        let assets = catalogue(settings.seed, settings.coins, false);
        let truth = match settings.events {
            true => plan(settings.seed, &assets, settings.start_ms, settings.minutes),
            false => Vec::new(),
        };
        let categories = assets.into_iter().map(|asset| (asset.id, asset.category));
        Self {
            categories: Arc::new(categories.collect()),
            settings,
            truth: truth.into(),
        }
    }

    /// What was asked for.
    pub fn settings(&self) -> &FieldSettings {
        &self.settings
    }

    /// The injected events, by time. Whatever else prices and volumes do is noise.
    pub fn truth(&self) -> &[FieldEvent] {
        &self.truth
    }

    /// The stretches in which every reply is the same, from and until, milliseconds since the epoch.
    pub fn frozen(&self) -> Vec<(i64, i64)> {
        let FieldSettings { seed, faults, .. } = self.settings;
        frozen_spells(seed, faults, self.settings.span_ms())
    }

    /// The ids of the coins that keep a peg or have a fixed price.
    pub fn pegged(&self) -> Vec<Arc<str>> {
        let assets = catalogue(self.settings.seed, self.settings.coins, false);
        assets
            .into_iter()
            .filter(|asset| asset.nature.is_pegged())
            .map(|asset| asset.id)
            .collect()
    }

    /// Whether CoinGecko finds the coin under this category, such as `stablecoins`.
    pub(crate) fn is_in(&self, id: &str, category: &str) -> bool {
        self.categories.get(id).is_some_and(|of| *of == category)
    }

    /// How many polls it takes to see all of it.
    pub fn steps_total(&self) -> u64 {
        let seconds = u64::from(self.settings.minutes) * 60;
        seconds.div_ceil(u64::from(self.settings.poll_secs))
    }

    /// The replies to the polls, from the first on.
    pub fn steps(&self) -> FieldSteps {
        FieldSteps::new(self.settings.clone(), &self.truth)
    }
}
