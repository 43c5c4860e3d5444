//! What a table's actions amount to: the fold of all entries up to a version.
//!
//! Always true: a file is in `files` or in `tombstones`, never in both.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::action::{Action, Add, DomainMetadata, MetaData, Protocol, Remove, Txn};

/// A table after its entry `version`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct State {
    pub(crate) version: u64,
    /// The version of the checkpoint that it was read from; 0 without one.
    pub(crate) checkpoint: u64,
    pub(crate) protocol: Protocol,
    pub(crate) metadata: MetaData,
    /// Live files by their path.
    pub(crate) files: BTreeMap<String, Arc<Add>>,
    /// Removed files by their path.
    pub(crate) tombstones: BTreeMap<String, Arc<Remove>>,
    /// By application.
    pub(crate) txns: BTreeMap<String, Txn>,
    /// By domain, without removed ones.
    pub(crate) domains: BTreeMap<String, DomainMetadata>,
}

impl State {
    /// Goes on to an entry.
    pub(crate) fn apply(&mut self, version: u64, actions: impl IntoIterator<Item = Action>) {
        self.version = version;
        for action in actions {
            self.apply_one(action);
        }
    }

    fn apply_one(&mut self, action: Action) {
        match action {
            Action::CommitInfo(_) => {}
            Action::Protocol(protocol) => self.protocol = protocol,
            Action::MetaData(metadata) => self.metadata = metadata,
            Action::Add(add) => {
                self.tombstones.remove(&add.path);
                self.files.insert(add.path.clone(), Arc::new(add));
            }
            Action::Remove(remove) => {
                self.files.remove(&remove.path);
                self.tombstones
                    .insert(remove.path.clone(), Arc::new(remove));
            }
            Action::Txn(txn) => {
                self.txns.insert(txn.app_id.clone(), txn);
            }
            Action::DomainMetadata(domain) if domain.removed => {
                self.domains.remove(&domain.domain);
            }
            Action::DomainMetadata(domain) => {
                self.domains.insert(domain.domain.clone(), domain);
            }
        }
    }

    /// Forgets what was removed longer than `age_ms` ago: before now, or before the newest removal of a log that is older.
    pub(crate) fn forget_removed(&mut self, now_ms: i64, age_ms: i64) {
        let newest_ms = self.tombstones.values().map(|remove| removed_ms(remove));
        let since_ms = newest_ms.max().map_or(now_ms, |ms| ms.min(now_ms));
        let since_ms = since_ms.saturating_sub(age_ms);
        self.tombstones
            .retain(|_, remove| removed_ms(remove) > since_ms);
    }

    /// The state as actions, as a checkpoint holds it: removed files only if they were removed after `removed_since_ms`.
    pub(crate) fn actions(&self, removed_since_ms: i64) -> Vec<Action> {
        let recent = self
            .tombstones
            .values()
            .filter(|remove| removed_ms(remove) > removed_since_ms);
        let first = [
            Action::Protocol(self.protocol.clone()),
            Action::MetaData(self.metadata.clone()),
        ];
        first
            .into_iter()
            .chain(self.txns.values().cloned().map(Action::Txn))
            .chain(self.domains.values().cloned().map(Action::DomainMetadata))
            .chain(self.files.values().map(|add| Action::Add(Add::clone(add))))
            .chain(recent.map(|remove| Action::Remove(Remove::clone(remove))))
            .collect()
    }
}

fn removed_ms(remove: &Remove) -> i64 {
    remove.deletion_timestamp.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(path: &str) -> Action {
        Action::Add(Add {
            path: path.to_owned(),
            ..Add::default()
        })
    }

    fn remove(path: &str, at: i64) -> Action {
        Action::Remove(Remove {
            path: path.to_owned(),
            deletion_timestamp: Some(at),
            ..Remove::default()
        })
    }

    fn domain(configuration: &str, removed: bool) -> Action {
        Action::DomainMetadata(DomainMetadata {
            domain: "d".to_owned(),
            configuration: configuration.to_owned(),
            removed,
        })
    }

    #[test]
    fn the_newest_action_counts() {
        let mut state = State::default();
        state.apply(0, [add("a"), add("b"), domain("1", false)]);
        state.apply(1, [remove("a", 5), add("c"), domain("2", false)]);
        assert_eq!(state.files.keys().collect::<Vec<_>>(), ["b", "c"]);
        assert_eq!(state.domains["d"].configuration, "2");
        state.apply(2, [add("a"), domain("", true)]);
        assert_eq!(state.files.len(), 3);
        assert!(state.tombstones.is_empty() && state.domains.is_empty());
        assert_eq!(state.version, 2);
    }

    #[test]
    fn a_state_is_the_fold_of_its_own_actions() {
        let mut state = State::default();
        state.apply(
            7,
            [
                add("a"),
                add("b"),
                remove("b", 5),
                remove("z", 9),
                domain("x", false),
            ],
        );
        let mut again = State::default();
        again.apply(7, state.actions(0));
        assert_eq!(again, state);
        again = State::default();
        again.apply(7, state.actions(5));
        assert_eq!(again.tombstones.keys().collect::<Vec<_>>(), ["z"]);
    }

    #[test]
    fn what_was_removed_long_ago_is_forgotten() {
        let left = |now_ms| {
            let mut state = State::default();
            state.apply(0, [remove("a", 5), remove("b", 6), remove("c", 9)]);
            state.forget_removed(now_ms, 4);
            state.tombstones.into_keys().collect::<Vec<_>>()
        };
        assert_eq!(left(99), ["b", "c"]);
        // One removal by a clock that is ahead takes nothing else.
        assert_eq!(left(6), ["a", "b", "c"]);
    }
}
