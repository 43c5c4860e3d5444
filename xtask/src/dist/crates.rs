//! Every crate that is compiled into the commands.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::process::{output, workspace};

/// A crate of another's, or of this workspace.
#[derive(Deserialize)]
pub(super) struct Crate {
    id: String,
    pub name: String,
    pub version: String,
    pub license: Option<String>,
    pub repository: Option<String>,
    pub manifest_path: PathBuf,
    /// `None` for one of this workspace.
    source: Option<String>,
}

impl Crate {
    pub(super) fn is_ours(&self) -> bool {
        self.source.is_none()
    }

    /// What it is called in the bill: its package URL, by which scanners know it. One of this workspace has none; another crate may
    /// have its name in the registry.
    pub(super) fn reference(&self) -> String {
        let kind = if self.is_ours() {
            "coinlake:"
        } else {
            "pkg:cargo/"
        };
        format!("{kind}{}@{}", self.name, self.version)
    }
}

/// The crates of some packages for one target, without those that only tests and build scripts need.
pub(super) struct Crates {
    by_id: BTreeMap<String, (Crate, Vec<String>)>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Crate>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<Kind>,
}

#[derive(Deserialize)]
struct Kind {
    /// `None` for a dependency of the code itself.
    kind: Option<String>,
}

impl Crates {
    pub(super) fn of(target: &str, packages: &[&str]) -> Result<Self> {
        let mut metadata = Command::new("cargo");
        metadata.current_dir(workspace()).args([
            "metadata",
            "--locked",
            "--format-version=1",
            "--filter-platform",
            target,
        ]);
        let metadata: Metadata = serde_json::from_slice(&output(&mut metadata)?)?;
        let roots = metadata.packages.iter();
        let roots = roots.filter(|one| one.is_ours() && packages.contains(&one.name.as_str()));
        let mut waiting: Vec<String> = roots.map(|one| one.id.clone()).collect();
        let needs = |node: &Node| {
            let own = node.deps.iter();
            let own = own.filter(|needed| needed.dep_kinds.iter().any(|kind| kind.kind.is_none()));
            own.map(|needed| needed.pkg.clone()).collect::<Vec<_>>()
        };
        let nodes = metadata.resolve.nodes.iter();
        let mut nodes: BTreeMap<_, _> = nodes.map(|node| (node.id.clone(), needs(node))).collect();
        let crates = metadata.packages.into_iter();
        let mut crates: BTreeMap<_, _> = crates.map(|one| (one.id.clone(), one)).collect();
        let mut by_id = BTreeMap::new();
        while let Some(id) = waiting.pop() {
            if by_id.contains_key(&id) {
                continue;
            }
            let one = crates
                .remove(&id)
                .context("cargo names a crate that it does not list")?;
            let needs = nodes.remove(&id).unwrap_or_default();
            waiting.extend(needs.iter().cloned());
            by_id.insert(id, (one, needs));
        }
        Ok(Self { by_id })
    }

    /// All of them, with what each needs.
    pub(super) fn all(&self) -> impl Iterator<Item = (&Crate, Vec<&Crate>)> {
        self.by_id.values().map(|(one, needs)| {
            let needs = needs.iter().map(|id| &self.by_id[id].0);
            (one, needs.collect())
        })
    }

    /// Those of others, by name.
    pub(super) fn of_others(&self) -> Vec<&Crate> {
        let all = self.by_id.values().map(|(one, _)| one);
        let mut others: Vec<_> = all.filter(|one| !one.is_ours()).collect();
        others.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
        others
    }
}
