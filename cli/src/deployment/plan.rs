//! The steps that bring a cluster to its goal, or the reason why they must not be taken.
//!
//! A plan depends on the bundle and the cluster's state alone: planning again after applying it gives no change.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use fluvio::metadata::smartmodule::{SmartModuleSpec, SmartModuleWasm};
use fluvio::metadata::tableformat::TableFormatSpec;
use fluvio::metadata::topic::TopicSpec;
use fluvio::metadata::topic::config::TopicConfig;
use market::model::{ModelPair, slot};
use market::names::{smartmodule, topic};

use super::bundle::Bundle;
use super::cluster_state::ClusterState;
use super::previous::{DeploymentId, Previous, previous_name};
use super::serving;
use crate::assets::{self, SmartModule};
use crate::counted::counted;

/// In Kubernetes a SmartModule is a custom resource, which cannot be much larger.
const SMARTMODULE_BYTES_MAX: usize = 1_000_000;

/// Copies of a partition where nobody asks for a number, if there are as many SPUs.
const REPLICATION_MAX: usize = 3;

/// The full names of our packages start with this.
const PACKAGE_GROUP: &str = "coinlake/";

/// Steps, in the order in which they are taken.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) steps: Vec<Step>,
}

/// One object and how it changes.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) change: Change,
    /// Shown in the plan: partitions, sizes, models.
    note: String,
    /// Shown in the plan, and logged when a deployment shows no plan.
    warning: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Topic,
    SmartModule,
    TableFormat,
}

#[derive(Debug)]
pub(crate) enum Change {
    Create(Spec),
    Update(Spec),
    Delete,
    None,
}

/// What is created, or replaces what the cluster has.
#[derive(Debug)]
pub(crate) enum Spec {
    Topic(Box<TopicSpec>),
    SmartModule(SmartModuleSpec),
    TableFormat(TableFormatSpec),
}

impl Plan {
    /// Creates what is missing and replaces what differs.
    ///
    /// # Errors
    /// When a topic exists with another partition count or there are too few SPUs for its copies, a SmartModule is too large, or
    /// a package of another group has the name of one of our SmartModules.
    pub(crate) fn deploy(bundle: &Bundle, state: &ClusterState) -> Result<Self> {
        let topics = bundle.topics.iter();
        let smartmodules = bundle.smartmodules.iter();
        let packages = state.packages.iter();
        let table_formats = bundle.table_formats.iter();
        let steps = topics
            .map(|topic| deploy_topic(topic, state))
            .chain(keep_replaced(bundle, state)?.into_iter().map(Ok))
            .chain(smartmodules.map(|module| match module.name {
                smartmodule::PREDICT => deploy_models(module, &bundle.production, state),
                _ => deploy_smartmodule(module, state),
            }))
            .chain(packages.map(|package| delete_package(package)))
            .chain(table_formats.map(|format| Ok(deploy_table_format(format, state))));
        Ok(Self {
            steps: steps.collect::<Result<_>>()?,
        })
    }

    /// Brings back the SmartModules that the last deployment replaced. The models are those that the cluster serves now, unless the
    /// earlier crypto-predict holds models of another format: then it comes back with those.
    ///
    /// # Errors
    /// When the cluster keeps none, or one of them is too large or too small for the models.
    pub(crate) fn rollback(state: &ClusterState) -> Result<Self> {
        let kept = state.previous.iter();
        let kept: Vec<_> = kept
            .filter_map(|(&name, previous)| {
                let wasm = previous.as_ref()?.wasm.clone();
                Some(SmartModule { name, wasm })
            })
            .collect();
        if kept.is_empty() {
            bail!(
                "the cluster keeps no SmartModules of an earlier deployment: deploy with the earlier release of coinlake"
            );
        }
        let steps = kept.iter().map(|module| match module.name {
            smartmodule::PREDICT if slot::read(&module.wasm).is_ok() => {
                deploy_models(module, &ModelPair::default(), state)
            }
            _ => deploy_smartmodule(module, state),
        });
        Ok(Self {
            steps: steps.collect::<Result<_>>()?,
        })
    }

    /// Deletes SmartModules and table formats, and with `with_data` the topics.
    ///
    /// # Errors
    /// When a table format of this command is invalid.
    pub(crate) fn delete(state: &ClusterState, with_data: bool) -> Result<Self> {
        let delete = |kind, name: &str, exists: bool| Step {
            name: name.to_owned(),
            kind,
            change: match exists {
                true => Change::Delete,
                false => Change::None,
            },
            note: String::new(),
            warning: None,
        };
        let mut steps = Vec::new();
        for name in smartmodule::ALL {
            let exists = state.smartmodules.contains_key(name);
            steps.push(delete(Kind::SmartModule, name, exists));
        }
        let kept = state.previous.iter();
        for (name, _) in kept.filter(|(_, previous)| previous.is_some()) {
            steps.push(delete(Kind::SmartModule, &previous_name(name), true));
        }
        for package in &state.packages {
            if package.starts_with(PACKAGE_GROUP) {
                steps.push(delete(Kind::SmartModule, package, true));
            }
        }
        for format in assets::table_formats()? {
            let exists = state.table_formats.contains_key(&format.name);
            steps.push(delete(Kind::TableFormat, &format.name, exists));
        }
        for name in topic::ALL {
            let exists = state.topics.contains_key(name);
            let mut step = delete(Kind::Topic, name, exists && with_data);
            step.note = match (exists, with_data) {
                (true, true) => "with every record in it",
                (true, false) => "kept: --with-data deletes it too",
                (false, _) => "",
            }
            .to_owned();
            steps.push(step);
        }
        Ok(Self { steps })
    }

    /// The warnings, for a deployment that shows no plan.
    pub(crate) fn warnings(&self) -> impl Iterator<Item = String> {
        self.steps.iter().filter_map(|step| {
            let warning = step.warning.as_ref()?;
            Some(format!("{} {}: {warning}", step.kind, step.name))
        })
    }

    /// How many steps change something.
    pub(crate) fn changes(&self) -> usize {
        self.steps
            .iter()
            .filter(|step| !matches!(step.change, Change::None))
            .count()
    }
}

fn deploy_topic(topic: &TopicConfig, state: &ClusterState) -> Result<Step> {
    let name = topic.meta.name.clone();
    let mut topic = topic.clone();
    let copies = topic.partition.replication;
    let auto = || state.spus.clamp(1, REPLICATION_MAX) as u32;
    topic.partition.replication = copies.or_else(|| Some(auto()));
    let want = TopicSpec::from(topic);
    let (change, note) = match state.topics.get(&name) {
        Some(have) if have.partitions() != want.partitions() => bail!(
            "the partition count of topic {name} is {have}, not {want}: deploy with --partitions {have}, or delete the \
             topic if you do not need its data",
            have = have.partitions(),
            want = want.partitions(),
        ),
        Some(have) => (Change::None, describe(have)),
        None => {
            if let Some(copies) = copies
                && copies as usize > state.spus.max(1)
            {
                bail!(
                    "topic {name} cannot have {copies} replicas: the cluster has {}; register more SPUs, or deploy with a \
                     lower --replication",
                    counted(state.spus as u64, "SPU")
                );
            }
            let note = describe(&want);
            (Change::Create(Spec::Topic(Box::new(want))), note)
        }
    };
    Ok(Step {
        name,
        kind: Kind::Topic,
        change,
        note,
        warning: None,
    })
}

/// Such as `3 partitions, 2 replicas, kept for 7days`.
fn describe(topic: &TopicSpec) -> String {
    let mut text = counted(topic.partitions().into(), "partition");
    if let Some(replicas) = topic.replication_factor() {
        text += &format!(", {}", counted(replicas.into(), "replica"));
    }
    if let Some(policy) = topic.get_clean_policy() {
        let kept = Duration::from_secs(policy.retention_secs().into());
        text += &format!(", kept for {}", humantime::format_duration(kept));
    }
    text
}

/// Steps that keep the cluster's SmartModules as `…-previous`, if the bundle changes the code of one of them.
fn keep_replaced(bundle: &Bundle, state: &ClusterState) -> Result<Vec<Step>> {
    // Models alone: they are promoted and taken back with `coinlake train`.
    if bundle.topics.is_empty() {
        return Ok(Vec::new());
    }
    let mut replaced = BTreeSet::new();
    for module in &bundle.smartmodules {
        if let Some(existing) = state.smartmodules.get(module.name)
            && !is_deployed(module, existing)?
        {
            replaced.insert(module.name);
        }
    }
    if replaced.is_empty() {
        return Ok(Vec::new());
    }
    let replaced_by = DeploymentId::of(&bundle.smartmodules);
    // Then each module is the one it stored, or already the new one. Anything else came after its end, and goes back with the rest.
    let is_interrupted = state.smartmodules.iter().all(|(name, wasm)| {
        let stored = state.previous.get(&**name).and_then(Option::as_ref);
        let stored = stored.filter(|previous| previous.replaced_by == replaced_by);
        !replaced.contains(&**name) || stored.is_none_or(|previous| previous.wasm == *wasm)
    });
    let mut steps = Vec::new();
    // What cannot be unpacked cannot be brought back.
    let modules = state.smartmodules.iter();
    for (name, wasm) in modules.filter(|(_, wasm)| !wasm.is_empty()) {
        let change: fn(Spec) -> Change = match state.previous.get(&**name) {
            // Stored by this deployment before it was interrupted.
            Some(Some(previous)) if is_interrupted && previous.replaced_by == replaced_by => {
                continue;
            }
            Some(Some(_)) => Change::Update,
            Some(None) => bail!(
                "SmartModule {kept} is none that a deployment kept, or is damaged: delete it by `fluvio smartmodule delete \
                 {kept}`",
                kept = previous_name(name)
            ),
            None => Change::Create,
        };
        let previous = Previous {
            wasm: wasm.clone(),
            replaced_by,
        };
        steps.push(Step {
            name: previous_name(name),
            kind: Kind::SmartModule,
            change: change(smartmodule_spec(name, &previous.to_wasm())?),
            note: "kept for --rollback".to_owned(),
            warning: None,
        });
    }
    Ok(steps)
}

/// Whether a module of the cluster has this code, whatever its models.
fn is_deployed(module: &SmartModule, existing: &[u8]) -> Result<bool> {
    Ok(match module.name {
        smartmodule::PREDICT => {
            let models = ModelPair::default();
            serving::module_to_serve(&module.wasm, Some(existing), &models)?.wasm == existing
        }
        _ => module.wasm == existing,
    })
}

fn smartmodule_spec(name: &str, wasm: &[u8]) -> Result<Spec> {
    Ok(Spec::SmartModule(SmartModuleSpec {
        wasm: SmartModuleWasm::from_raw_wasm_bytes(wasm)
            .with_context(|| format!("SmartModule {name} cannot be packed"))?,
        ..SmartModuleSpec::default()
    }))
}

fn deploy_smartmodule(module: &SmartModule, state: &ClusterState) -> Result<Step> {
    let SmartModule { name, wasm } = module;
    if wasm.len() > SMARTMODULE_BYTES_MAX {
        bail!(
            "SmartModule {name} has {} bytes, a cluster takes {SMARTMODULE_BYTES_MAX}: build it with `cargo xtask \
             smartmodules`, which strips it, or promote smaller models",
            wasm.len()
        );
    }
    let spec = || smartmodule_spec(name, wasm);
    let kb = |bytes: usize| bytes.div_ceil(1000);
    let mut note = format!("{} KB", kb(wasm.len()));
    let change = match state.smartmodules.get(*name) {
        None => Change::Create(spec()?),
        Some(existing) if existing == wasm => Change::None,
        Some(existing) => {
            note = format!("{note}, was {} KB", kb(existing.len()));
            Change::Update(spec()?)
        }
    };
    Ok(Step {
        name: (*name).to_owned(),
        kind: Kind::SmartModule,
        change,
        note,
        warning: None,
    })
}

/// crypto-predict, with the models to serve in its slot.
fn deploy_models(
    module: &SmartModule,
    production: &ModelPair,
    state: &ClusterState,
) -> Result<Step> {
    let existing = state.smartmodules.get(module.name).map(Vec::as_slice);
    let serving = serving::module_to_serve(&module.wasm, existing, production)?;
    let filled = SmartModule {
        name: module.name,
        wasm: serving.wasm,
    };
    let step = deploy_smartmodule(&filled, state)?;
    Ok(Step {
        note: format!("{}, {}", step.note, serving.models),
        warning: serving.warning,
        ..step
    })
}

/// A package from `smdk load` is deleted: an SPU asked for a name takes any module or package of that name.
fn delete_package(package: &str) -> Result<Step> {
    if !package.starts_with(PACKAGE_GROUP) {
        bail!(
            "SmartModule {package} has the name of one of Coinlake's, and an SPU could load either: delete it, or deploy \
             to another cluster"
        );
    }
    Ok(Step {
        name: package.to_owned(),
        kind: Kind::SmartModule,
        change: Change::Delete,
        note: "an SPU could load it instead of ours".to_owned(),
        warning: None,
    })
}

fn deploy_table_format(format: &TableFormatSpec, state: &ClusterState) -> Step {
    Step {
        name: format.name.clone(),
        kind: Kind::TableFormat,
        note: String::new(),
        warning: None,
        change: match state.table_formats.get(&format.name) {
            None => Change::Create(Spec::TableFormat(format.clone())),
            Some(existing) if existing == format => Change::None,
            Some(_) => Change::Update(Spec::TableFormat(format.clone())),
        },
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.steps {
            writeln!(f, "{step}")?;
        }
        match self.changes() {
            0 => f.write_str("nothing to change"),
            1 => f.write_str("1 change"),
            changes => write!(f, "{changes} changes"),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let change = match self.change {
            Change::Create(_) => "create",
            Change::Update(_) => "update",
            Change::Delete => "delete",
            Change::None => "unchanged",
        };
        let line = format!(
            "  {change:<10} {:<13} {:<24} {}",
            self.kind.to_string(),
            self.name,
            self.note
        );
        f.write_str(line.trim_end())?;
        match &self.warning {
            Some(warning) => write!(f, "; {warning}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Topic => "topic",
            Self::SmartModule => "SmartModule",
            Self::TableFormat => "table format",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundle() -> Bundle {
        Bundle {
            topics: assets::topics().unwrap(),
            smartmodules: vec![SmartModule {
                name: "crypto-clean",
                wasm: b"\0asm, new".to_vec(),
            }],
            table_formats: assets::table_formats().unwrap(),
            production: ModelPair::default(),
        }
    }

    /// The state of a cluster after deploying the bundle.
    fn deployed() -> ClusterState {
        let bundle = bundle();
        ClusterState {
            topics: bundle
                .topics
                .iter()
                .map(|topic| (topic.meta.name.clone(), topic.clone().into()))
                .collect(),
            smartmodules: bundle
                .smartmodules
                .into_iter()
                .map(|module| (module.name.to_owned(), module.wasm))
                .collect(),
            table_formats: bundle
                .table_formats
                .into_iter()
                .map(|format| (format.name.clone(), format))
                .collect(),
            ..ClusterState::default()
        }
    }

    fn lines(plan: &Plan) -> Vec<String> {
        let words = |step: &Step| {
            let line = step.to_string();
            line.split_whitespace().collect::<Vec<_>>().join(" ")
        };
        plan.steps.iter().map(words).collect()
    }

    #[test]
    fn an_empty_cluster_gets_everything_topics_first() {
        let plan = Plan::deploy(&bundle(), &ClusterState::default()).unwrap();
        assert_eq!(plan.changes(), plan.steps.len());
        let lines = lines(&plan);
        assert_eq!(
            lines[0],
            "create topic crypto-raw 3 partitions, 1 replica, kept for 7days"
        );
        assert!(lines.contains(&"create SmartModule crypto-clean 1 KB".to_owned()));
        assert!(lines.contains(&"create table format crypto-alerts".to_owned()));
    }

    #[test]
    fn deploying_again_changes_nothing() {
        let plan = Plan::deploy(&bundle(), &deployed()).unwrap();
        assert_eq!(plan.changes(), 0, "{plan}");
        assert!(plan.to_string().ends_with("nothing to change"));
    }

    #[test]
    fn objects_that_differ_are_updated() {
        let mut state = deployed();
        *state.smartmodules.get_mut("crypto-clean").unwrap() = vec![0; 2500];
        state
            .table_formats
            .get_mut("crypto-alerts")
            .unwrap()
            .columns = None;
        let plan = Plan::deploy(&bundle(), &state).unwrap();
        assert_eq!(plan.changes(), 3);
        let lines = lines(&plan);
        let kept = "create SmartModule crypto-clean-previous kept for --rollback";
        assert!(lines.contains(&kept.to_owned()), "{lines:?}");
        assert!(lines.contains(&"update SmartModule crypto-clean 1 KB, was 3 KB".to_owned()));
        assert!(lines.contains(&"update table format crypto-alerts".to_owned()));
    }

    #[test]
    fn a_different_partition_count_is_refused() {
        let mut state = deployed();
        let five = TopicSpec::new_computed(5, 1, None);
        *state.topics.get_mut("crypto-clean").unwrap() = five;
        let error = Plan::deploy(&bundle(), &state).unwrap_err().to_string();
        assert_eq!(
            error,
            "the partition count of topic crypto-clean is 5, not 3: deploy with --partitions 5, or delete the topic if \
             you do not need its data"
        );
    }

    #[test]
    fn a_topic_has_as_many_copies_as_there_are_spus_and_at_most_three() {
        let created = |spus, asked| {
            let mut bundle = bundle();
            bundle.topics[0].partition.replication = asked;
            let state = ClusterState {
                spus,
                ..ClusterState::default()
            };
            Plan::deploy(&bundle, &state).map(|plan| lines(&plan)[0].clone())
        };
        for (spus, asked, replicas) in [
            (0, None, "1 replica,"),
            (2, None, "2 replicas,"),
            (5, None, "3 replicas,"),
            (5, Some(1), "1 replica,"),
            (5, Some(5), "5 replicas,"),
        ] {
            let line = created(spus, asked).unwrap();
            assert!(line.contains(replicas), "{line}");
        }
        let error = created(1, Some(2)).unwrap_err().to_string();
        assert!(error.contains("the cluster has 1 SPU;"), "{error}");
    }

    /// The cluster after the steps that change SmartModules, of which only the first `taken` are.
    fn apply(plan: &Plan, state: &mut ClusterState, taken: usize) {
        let modules = plan.steps.iter().filter_map(|step| match &step.change {
            Change::Create(Spec::SmartModule(spec)) | Change::Update(Spec::SmartModule(spec)) => {
                Some((&step.name, spec.wasm.as_raw_wasm().unwrap()))
            }
            _ => None,
        });
        for (name, wasm) in modules.take(taken) {
            match smartmodule::ALL
                .into_iter()
                .find(|n| previous_name(n) == *name)
            {
                Some(name) => {
                    state.previous.insert(name, Previous::from_wasm(&wasm));
                }
                None => {
                    state.smartmodules.insert(name.clone(), wasm);
                }
            }
        }
    }

    #[test]
    fn a_rollback_brings_back_what_was_there_however_often_the_deployment_was_interrupted() {
        let module = |name, version: &str| SmartModule {
            name,
            wasm: [b"\0asm, ", version.as_bytes()].concat(),
        };
        let release = |clean: &str, features: &str| Bundle {
            smartmodules: vec![
                module(smartmodule::CLEAN, clean),
                module(smartmodule::FEATURES, features),
            ],
            ..bundle()
        };
        for interrupted_after in 0..=4 {
            let mut state = deployed();
            for bundle in [release("1", "1"), release("2", "1")] {
                let plan = Plan::deploy(&bundle, &state).unwrap();
                apply(&plan, &mut state, usize::MAX);
            }
            let before = state.smartmodules.clone();
            let next = release("2", "2");
            let plan = Plan::deploy(&next, &state).unwrap();
            apply(&plan, &mut state, interrupted_after);
            let again = Plan::deploy(&next, &state).unwrap();
            apply(&again, &mut state, usize::MAX);
            assert_eq!(Plan::deploy(&next, &state).unwrap().changes(), 0);
            assert_ne!(state.smartmodules, before);
            let back = Plan::rollback(&state).unwrap();
            apply(&back, &mut state, usize::MAX);
            assert_eq!(state.smartmodules, before, "{interrupted_after}");
            assert_eq!(Plan::rollback(&state).unwrap().changes(), 0);
        }
        let error = Plan::rollback(&deployed()).unwrap_err().to_string();
        assert!(error.starts_with("the cluster keeps no"), "{error}");
    }

    #[test]
    fn a_rollback_brings_back_what_was_replaced_by_hand_before_a_repeated_deployment() {
        let mut state = deployed();
        let mut next = bundle();
        for module in &mut next.smartmodules {
            module.wasm = b"\0asm, next".to_vec();
        }
        let deploy = |state: &mut ClusterState| {
            let plan = Plan::deploy(&next, state).unwrap();
            apply(&plan, state, usize::MAX);
        };
        deploy(&mut state);
        let fixed = b"\0asm, fixed by hand".to_vec();
        let name = next.smartmodules[0].name.to_owned();
        state.smartmodules.insert(name, fixed);
        let before = state.smartmodules.clone();
        deploy(&mut state);
        assert_ne!(state.smartmodules, before);
        let back = Plan::rollback(&state).unwrap();
        apply(&back, &mut state, usize::MAX);
        assert_eq!(state.smartmodules, before);
    }

    #[test]
    fn a_smartmodule_that_is_too_large_is_refused() {
        let mut bundle = bundle();
        bundle.smartmodules[0].wasm = vec![0; SMARTMODULE_BYTES_MAX + 1];
        let error = Plan::deploy(&bundle, &ClusterState::default())
            .unwrap_err()
            .to_string();
        assert!(
            error
                .starts_with("SmartModule crypto-clean has 1000001 bytes, a cluster takes 1000000"),
            "{error}"
        );
    }

    #[test]
    fn a_package_of_ours_is_deleted_and_a_foreign_one_refused() {
        let mut state = deployed();
        state.packages = vec!["coinlake/crypto-clean@0.1.0".to_owned()];
        let steps = lines(&Plan::deploy(&bundle(), &state).unwrap());
        let step =
            "delete SmartModule coinlake/crypto-clean@0.1.0 an SPU could load it instead of ours";
        assert!(steps.contains(&step.to_owned()), "{steps:?}");
        assert_eq!(Plan::delete(&state, false).unwrap().changes(), 5);
        state.packages = vec!["somebody/crypto-clean@2.0.0".to_owned()];
        let error = Plan::deploy(&bundle(), &state).unwrap_err().to_string();
        assert!(
            error.starts_with("SmartModule somebody/crypto-clean@2.0.0"),
            "{error}"
        );
    }

    #[test]
    fn deleting_keeps_topics_unless_asked_to_delete_data() {
        let kept = lines(&Plan::delete(&deployed(), false).unwrap());
        assert!(kept.contains(&"delete SmartModule crypto-clean".to_owned()));
        assert!(kept.contains(&"delete table format crypto-alerts".to_owned()));
        assert!(
            kept.contains(
                &"unchanged topic crypto-raw kept: --with-data deletes it too".to_owned()
            )
        );
        let gone = lines(&Plan::delete(&deployed(), true).unwrap());
        assert!(gone.contains(&"delete topic crypto-raw with every record in it".to_owned()));
        assert_eq!(
            Plan::delete(&ClusterState::default(), true)
                .unwrap()
                .changes(),
            0
        );
    }
}
