//! `registry.json`: versions and aliases of all models.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::format::{FORMAT, Formatted};
use crate::tracking::version::Alias;

/// `registry.json`.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Registry {
    format: u32,
    models: BTreeMap<String, ModelEntry>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct ModelEntry {
    /// Ascending.
    versions: Vec<VersionEntry>,
    aliases: BTreeMap<String, u32>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct VersionEntry {
    pub version: u32,
    pub run: String,
    pub created_ms: i64,
    #[serde(default)]
    pub note: String,
}

impl Formatted for Registry {
    fn format(&self) -> u32 {
        self.format
    }
}

impl Default for Registry {
    fn default() -> Self {
        Self {
            format: FORMAT,
            models: BTreeMap::new(),
        }
    }
}

impl Registry {
    /// The version of a run's model; added if it does not exist.
    pub(super) fn add_version(&mut self, model: &str, run: &str, created_ms: i64) -> VersionEntry {
        let versions = &mut self.models.entry(model.to_owned()).or_default().versions;
        if let Some(known) = versions.iter().find(|entry| entry.run == run) {
            return known.clone();
        }
        let entry = VersionEntry {
            version: versions.last().map_or(1, |last| last.version + 1),
            run: run.to_owned(),
            created_ms,
            note: String::new(),
        };
        versions.push(entry.clone());
        entry
    }

    /// All versions, ascending.
    pub(super) fn versions(&self, model: &str) -> &[VersionEntry] {
        self.models.get(model).map_or(&[], |entry| &entry.versions)
    }

    pub(super) fn version_mut(&mut self, model: &str, version: u32) -> Option<&mut VersionEntry> {
        let versions = &mut self.models.get_mut(model)?.versions;
        versions.iter_mut().find(|entry| entry.version == version)
    }

    pub(super) fn aliases_of(&self, model: &str, version: u32) -> Vec<String> {
        let entry = self.models.get(model);
        let aliases = entry.into_iter().flat_map(|entry| &entry.aliases);
        let of_this = aliases.filter(|(_, points_at)| **points_at == version);
        of_this.map(|(alias, _)| alias.clone()).collect()
    }

    pub(super) fn points_at(&self, model: &str, alias: Alias) -> Option<u32> {
        self.models.get(model)?.aliases.get(alias.as_str()).copied()
    }

    /// The runs that must stay: of versions that an alias points at, and of each model's newest, whose number must not be given
    /// again.
    pub(super) fn needed_runs(&self) -> BTreeSet<String> {
        let needed = self.models.values().flat_map(|model| {
            let newest = model.versions.last().map(|entry| entry.version);
            let is_needed = move |entry: &&VersionEntry| {
                newest == Some(entry.version) || model.aliases.values().any(|v| *v == entry.version)
            };
            model.versions.iter().filter(is_needed)
        });
        needed.map(|entry| entry.run.clone()).collect()
    }

    /// Removes all versions of these runs.
    pub(super) fn forget_runs(&mut self, runs: &[String]) {
        for model in self.models.values_mut() {
            model.versions.retain(|entry| !runs.contains(&entry.run));
        }
    }

    /// Points an alias at a version; false if the version does not exist.
    pub(super) fn point(&mut self, model: &str, alias: Alias, version: u32) -> bool {
        match self.models.get_mut(model) {
            Some(entry) if entry.versions.iter().any(|v| v.version == version) => {
                entry.aliases.insert(alias.as_str().to_owned(), version);
                true
            }
            _ => false,
        }
    }
}
