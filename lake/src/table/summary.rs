//! What the newest entry of a table's log tells of it, without the entries before.
//!
//! Always true: each entry that this crate makes carries the table's totals and every stage's place in the domain
//! [`DOMAIN`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::stamp::{AppId, CommitStamp};
use crate::log::action::{Action, DomainMetadata};

/// The domain of the totals.
pub(crate) const DOMAIN: &str = "coinlake";

/// What a table holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// The table's name.
    #[serde(skip)]
    pub table: String,
    /// The number of the newest entry.
    #[serde(skip)]
    pub version: u64,
    /// Rows in all files.
    pub rows: u64,
    /// Number of files.
    pub files: u64,
    /// Size of all files.
    pub bytes: u64,
    /// Where its writers stand.
    pub places: Vec<Place>,
}

/// Where a stage stands in one partition of its input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Who.
    pub app: AppId,
    /// How many times the input topic was recreated, counting only what the operator accepted.
    pub generation: u32,
    /// The last input committed.
    pub last_offset: i64,
    /// When, in milliseconds since the epoch.
    pub committed_at_ms: i64,
    /// By output topic: the offset where outputs of inputs after `last_offset` begin, or a lower one.
    #[serde(default)]
    pub topic_ends: BTreeMap<String, i64>,
}

impl Summary {
    /// The action that carries it in an entry.
    pub(crate) fn to_action(&self) -> Action {
        Action::DomainMetadata(DomainMetadata {
            domain: DOMAIN.to_owned(),
            configuration: serde_json::to_string(self).expect("names and numbers"),
            removed: false,
        })
    }

    /// Where the rows of an input partition end: the place that was written last, should several stages have written.
    pub fn place(&self, topic: &str, partition: u32) -> Option<&Place> {
        let of_partition =
            |place: &&Place| place.app.topic == topic && place.app.partition == partition;
        let places = self.places.iter().filter(of_partition);
        places.max_by_key(|place| place.committed_at_ms)
    }

    /// Notes a commit.
    pub(crate) fn put(&mut self, stamp: &CommitStamp) {
        let place = Place {
            app: stamp.app.clone(),
            generation: stamp.generation,
            last_offset: stamp.last_offset,
            committed_at_ms: stamp.committed_at_ms,
            topic_ends: stamp.topic_ends.clone(),
        };
        match self.places.iter_mut().find(|known| known.app == place.app) {
            Some(known) => *known = place,
            None => {
                self.places.push(place);
                self.places.sort_by(|a, b| a.app.cmp(&b.app));
            }
        }
    }
}
