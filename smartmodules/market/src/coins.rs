//! A map from coins to values.

use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;

/// A value for each coin. Its order never affects results.
#[derive(Debug, Clone)]
pub(crate) struct Coins<T> {
    by_name: HashMap<String, T, FxBuildHasher>,
}

impl<T> Default for Coins<T> {
    fn default() -> Self {
        Self {
            by_name: HashMap::default(),
        }
    }
}

impl<T: Default> Coins<T> {
    pub(crate) fn get(&self, coin: &str) -> Option<&T> {
        self.by_name.get(coin)
    }

    /// The coin's value; inserts the default if it has none.
    pub(crate) fn entry(&mut self, coin: &str) -> &mut T {
        self.by_name.entry_ref(coin).or_default()
    }

    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&mut T) -> bool) {
        self.by_name.retain(|_, value| keep(value));
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.by_name.len()
    }
}
