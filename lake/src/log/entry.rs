//! Entries: listed, read and created by their numbers.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};

use super::action::{self, Action};
use super::state::State;
use super::{checkpoint, protocol};
use crate::durable::Created;
use crate::error::LakeError;
use crate::lake::{Lake, Listed};

/// Entries that are read at a time.
pub(crate) const READ_AHEAD: usize = 8;

/// The log of one table.
#[derive(Debug, Clone)]
pub(crate) struct Log {
    pub(crate) lake: Lake,
    pub(crate) table: String,
}

/// The length of `_last_checkpoint`. Some of HDFS's readers do not survive that a file becomes shorter between the look at its length
/// and the reading.
const LAST_CHECKPOINT_BYTES: usize = 64;

/// `_last_checkpoint`: where readers begin.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct LastCheckpoint {
    pub(crate) version: u64,
    /// Number of actions in it.
    pub(crate) size: u64,
}

/// What a listing of the log shows.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    /// Entries by version.
    pub(crate) entries: BTreeMap<u64, Listed>,
    /// Checkpoints by version: their parts, and how many there must be.
    pub(crate) checkpoints: BTreeMap<u64, (Vec<Listed>, usize)>,
}

impl Listing {
    /// Of files of a table, those of its log.
    pub(crate) fn of(files: Vec<Listed>) -> Self {
        let mut listing = Self::default();
        for listed in files {
            let mut parts = listed.path.rsplit('/');
            let name = parts.next().unwrap_or_default();
            let Some((version, rest)) = name.split_at_checked(20) else {
                continue;
            };
            let Ok(version) = version.parse() else {
                continue;
            };
            if parts.next() != Some("_delta_log") {
                continue;
            }
            if rest == ".json" {
                listing.entries.insert(version, listed);
            } else if let Some(parts) = parts_of_checkpoint(rest) {
                let checkpoint = listing.checkpoints.entry(version).or_default();
                checkpoint.0.push(listed);
                checkpoint.1 = parts;
            }
        }
        for (parts, _) in listing.checkpoints.values_mut() {
            parts.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        }
        listing
    }

    /// The newest checkpoint whose parts are all there.
    pub(crate) fn newest_checkpoint(&self) -> Option<(u64, &[Listed])> {
        let complete =
            |(_, (parts, wanted)): &(&u64, &(Vec<Listed>, usize))| parts.len() == *wanted;
        let newest = self.checkpoints.iter().rev().find(complete);
        newest.map(|(version, (parts, _))| (*version, parts.as_slice()))
    }
}

impl Log {
    /// Where an entry lies, relative to the lake.
    pub(crate) fn path(&self, version: u64) -> String {
        format!("{}/_delta_log/{version:020}.json", self.table)
    }

    /// Where a checkpoint lies, relative to the lake.
    pub(crate) fn checkpoint_path(&self, version: u64) -> String {
        format!("{}/_delta_log/{version:020}.checkpoint.parquet", self.table)
    }

    fn last_checkpoint_path(&self) -> String {
        format!("{}/_delta_log/_last_checkpoint", self.table)
    }

    /// An entry's actions; `None` when there is no such entry.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) async fn read(&self, version: u64) -> Result<Option<Vec<Action>>, LakeError> {
        let path = self.path(version);
        let Some(contents) = self.lake.read_if_there(&path).await? else {
            return Ok(None);
        };
        let actions = action::of_lines(&contents);
        actions
            .map(Some)
            .map_err(|error| self.lake.broken(&path, error))
    }

    /// Creates an entry if its number is free.
    ///
    /// # Errors
    /// As [`Lake::create`].
    pub(crate) async fn create(
        &self,
        version: u64,
        lines: Bytes,
        id: &str,
    ) -> Result<Created, LakeError> {
        self.lake.create(&self.path(version), lines, id).await
    }

    /// What the log holds from `from` on.
    ///
    /// # Errors
    /// When the store cannot be listed.
    pub(crate) async fn list(&self, from: u64) -> Result<Listing, LakeError> {
        let folder = format!("{}/_delta_log", self.table);
        let after = (from > 0).then(|| format!("{folder}/{from:020}"));
        let files = self.lake.list(&folder, after.as_deref()).await?;
        Ok(Listing::of(files))
    }

    /// The version at which readers begin; 0 without a checkpoint.
    pub(crate) async fn start(&self) -> Result<u64, LakeError> {
        let path = self.last_checkpoint_path();
        let contents = self.lake.read_if_there(&path).await?;
        // An incomplete one counts as none: the listing finds the checkpoints as well.
        let last = contents.and_then(|json| serde_json::from_slice::<LastCheckpoint>(&json).ok());
        Ok(last.map_or(0, |last| last.version))
    }

    /// What the log holds from its newest checkpoint on; all of it without one.
    async fn list_newest(&self) -> Result<Listing, LakeError> {
        let start = self.start().await?;
        let listing = self.list(start).await?;
        if start > 0 && listing.newest_checkpoint().is_none() {
            // `_last_checkpoint` names one that is not there: somebody removed it, or this is a copy that was made while the table
            // was written to.
            return self.list(0).await;
        }
        Ok(listing)
    }

    /// The version of the newest entry; `None` when there is no table.
    pub(crate) async fn newest(&self) -> Result<Option<u64>, LakeError> {
        let listing = self.list_newest().await?;
        Ok(listing
            .entries
            .last_key_value()
            .map(|(version, _)| *version))
    }

    /// The state after the newest entry; `None` when there is no table.
    ///
    /// # Errors
    /// When the log cannot be read, has a gap, or is of a kind that this crate does not read.
    pub(crate) async fn load(&self) -> Result<Option<State>, LakeError> {
        let mut attempts = 0;
        loop {
            match self.load_once().await {
                // Upkeep removed entries between the listing and the reading: a newer checkpoint covers them.
                Err(LakeError::Gone { .. }) if attempts < 3 => attempts += 1,
                loaded => return loaded,
            }
        }
    }

    async fn load_once(&self) -> Result<Option<State>, LakeError> {
        let listing = self.list_newest().await?;
        let mut state = State::default();
        let mut next = 0;
        if let Some((version, parts)) = listing.newest_checkpoint() {
            for part in parts {
                let actions = checkpoint::read(&self.lake, &part.path).await?;
                state.apply(version, actions);
            }
            state.checkpoint = version;
            next = version + 1;
        }
        let newest = listing
            .entries
            .last_key_value()
            .map(|(version, _)| *version);
        if next == 0 && newest.is_none() {
            return Ok(None);
        }
        // By number: a folder may be listed without an entry that was made meanwhile, and with one that was made after it.
        let versions = next..newest.map_or(next, |newest| newest + 1);
        let listing = &listing;
        let mut read = stream::iter(versions)
            .map(|version| async move {
                let actions = self.read(version).await?;
                let missing = || match listing.entries.contains_key(&version) {
                    true => LakeError::Gone {
                        path: self.path(version),
                    },
                    false => self.lake.broken(
                        &self.path(version),
                        "this entry of the table's log is missing, and no checkpoint covers it",
                    ),
                };
                Ok::<_, LakeError>((version, actions.ok_or_else(missing)?))
            })
            .buffered(READ_AHEAD);
        while let Some((version, actions)) = read.try_next().await? {
            state.apply(version, actions);
        }
        self.check(&state)?;
        Ok(Some(state))
    }

    /// Refuses a table that this crate cannot read.
    pub(crate) fn check(&self, state: &State) -> Result<(), LakeError> {
        protocol::check_readable(&state.protocol).map_err(|reason| LakeError::Unusable {
            lake: format!("{}/{}", self.lake, self.table),
            reason: format!("{reason}, which this release does not know"),
        })
    }

    /// Writes the checkpoint of a state, and names it as the one where readers begin.
    ///
    /// # Errors
    /// When it cannot be written. The log is as good without it.
    pub(crate) async fn write_checkpoint(
        &self,
        state: &State,
        removed_since_ms: i64,
    ) -> Result<(), LakeError> {
        let actions = state.actions(removed_since_ms);
        let size = actions.len() as u64;
        let path = self.checkpoint_path(state.version);
        let contents =
            checkpoint::encode(actions).map_err(|error| self.lake.broken(&path, error))?;
        self.lake.replace(&path, contents).await?;
        let last = LastCheckpoint {
            version: state.version,
            size,
        };
        self.lake
            .replace(&self.last_checkpoint_path(), last.to_json().into())
            .await
    }
}

impl LastCheckpoint {
    /// Always of the same length.
    fn to_json(&self) -> Vec<u8> {
        let mut json = serde_json::to_vec(self).expect("numbers only");
        json.resize(json.len().max(LAST_CHECKPOINT_BYTES), b' ');
        json
    }
}

/// How many parts a checkpoint has, by what follows the version in a part's name; `None` when it is no checkpoint.
fn parts_of_checkpoint(rest: &str) -> Option<usize> {
    let middle = rest.strip_prefix(".checkpoint")?.strip_suffix("parquet")?;
    match middle {
        "." => Some(1),
        // `.0000000001.0000000003.`; one with a UUID is of a feature that `protocol` refuses.
        parts => {
            let mut numbers = parts.trim_matches('.').split('.');
            let [_, Some(all), None] = [numbers.next(), numbers.next(), numbers.next()] else {
                return None;
            };
            all.parse().ok()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_the_last_checkpoint_is_always_as_long() {
        for (version, size) in [(0, 0), (99, 1_000), (100, 9), (1_000_000_000, 1_000_000)] {
            let json = LastCheckpoint { version, size }.to_json();
            assert_eq!(json.len(), LAST_CHECKPOINT_BYTES);
            let read: LastCheckpoint = serde_json::from_slice(&json).unwrap();
            assert_eq!((read.version, read.size), (version, size));
        }
    }

    #[test]
    fn checkpoints_have_one_part_or_several() {
        assert_eq!(parts_of_checkpoint(".checkpoint.parquet"), Some(1));
        let several = ".checkpoint.0000000002.0000000003.parquet";
        assert_eq!(parts_of_checkpoint(several), Some(3));
        let other = ".checkpoint.80a083e8-7026-4e79-81be-64bd76c43a11.parquet";
        assert_eq!(parts_of_checkpoint(other), None);
        assert_eq!(parts_of_checkpoint(".json"), None);
    }
}
