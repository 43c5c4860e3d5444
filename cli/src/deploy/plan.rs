//! What deploying or deleting would change, and why it must not be done.
//!
//! Always true: a plan is made from what is wanted and what is there alone, so one made again after it was applied
//! changes nothing.

use std::fmt;

use anyhow::{Context, Result, bail};
use fluvio::metadata::smartmodule::{SmartModuleSpec, SmartModuleWasm};
use fluvio::metadata::tableformat::TableFormatSpec;
use fluvio::metadata::topic::TopicSpec;
use fluvio::metadata::topic::config::TopicConfig;
use market::model::ModelPair;

use super::Assets;
use super::present::Present;
use crate::assets::{self, SmartModule};
use crate::serving;

/// What a SmartModule may weigh: in Kubernetes it is a custom resource, which cannot be much larger.
const SMARTMODULE_BYTES_MAX: usize = 1_000_000;

/// Our packages' whole names begin so.
const PACKAGE_GROUP: &str = "coinlake/";

/// Steps, in the order in which they are taken.
#[derive(Debug)]
pub struct Plan {
    pub steps: Vec<Step>,
}

/// One object and what becomes of it.
#[derive(Debug)]
pub struct Step {
    pub name: String,
    pub kind: Kind,
    pub change: Change,
    /// For people: partitions, sizes, models.
    note: String,
    /// What people should know even if they do not read plans.
    warning: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Topic,
    SmartModule,
    TableFormat,
}

#[derive(Debug)]
pub enum Change {
    Create(Spec),
    Update(Spec),
    Delete,
    None,
}

/// What is created, or takes the place of what is there.
#[derive(Debug)]
pub enum Spec {
    Topic(Box<TopicSpec>),
    SmartModule(SmartModuleSpec),
    TableFormat(TableFormatSpec),
}

impl Plan {
    /// Brings what is missing and replaces what differs.
    ///
    /// # Errors
    /// When a topic exists with another partition count, a SmartModule is too large, or somebody else's goes by the same
    /// name.
    pub fn deploy(assets: &Assets, present: &Present) -> Result<Self> {
        let topics = assets.topics.iter();
        let smartmodules = assets.smartmodules.iter();
        let table_formats = assets.table_formats.iter();
        let steps = topics
            .map(|topic| deploy_topic(topic, present))
            .chain(smartmodules.map(|module| match module.name {
                serving::MODULE => deploy_models(module, &assets.production, present),
                _ => deploy_smartmodule(module, present),
            }))
            .chain(
                present
                    .packages
                    .iter()
                    .map(|package| delete_package(package)),
            )
            .chain(table_formats.map(|format| Ok(deploy_table_format(format, present))));
        Ok(Self {
            steps: steps.collect::<Result<_>>()?,
        })
    }

    /// Takes away SmartModules and table formats, and with `with_data` the topics.
    pub fn delete(present: &Present, with_data: bool) -> Result<Self> {
        let delete = |kind, name: String, there: bool| Step {
            name,
            kind,
            change: match there {
                true => Change::Delete,
                false => Change::None,
            },
            note: String::new(),
            warning: None,
        };
        let mut steps = Vec::new();
        for name in assets::SMARTMODULES {
            let there = present.smartmodules.contains_key(name);
            steps.push(delete(Kind::SmartModule, name.to_owned(), there));
        }
        for package in &present.packages {
            if package.starts_with(PACKAGE_GROUP) {
                steps.push(delete(Kind::SmartModule, package.clone(), true));
            }
        }
        for format in assets::table_formats()? {
            let there = present.table_formats.contains_key(&format.name);
            steps.push(delete(Kind::TableFormat, format.name, there));
        }
        for name in assets::topic_names()? {
            let there = present.topics.contains_key(&name);
            let mut step = delete(Kind::Topic, name, there && with_data);
            step.note = match (there, with_data) {
                (true, true) => "with every record in it",
                (true, false) => "kept: --with-data deletes it too",
                (false, _) => "",
            }
            .to_owned();
            steps.push(step);
        }
        Ok(Self { steps })
    }

    /// What people should know even if they do not read the plan.
    pub fn warnings(&self) -> impl Iterator<Item = String> {
        self.steps.iter().filter_map(|step| {
            let warning = step.warning.as_ref()?;
            Some(format!("{} {}: {warning}", step.kind, step.name))
        })
    }

    /// How many steps change something.
    pub fn changes(&self) -> usize {
        let changing = |step: &&Step| !matches!(step.change, Change::None);
        self.steps.iter().filter(changing).count()
    }
}

fn deploy_topic(topic: &TopicConfig, present: &Present) -> Result<Step> {
    let name = topic.meta.name.clone();
    let want = topic.partition.count.unwrap_or(1);
    let change = match present.topics.get(&name) {
        None => Change::Create(Spec::Topic(Box::new(topic.clone().into()))),
        Some(&have) if have == want => Change::None,
        Some(have) => bail!(
            "the partition count of topic {name} is {have}, not {want}: delete the topic if its data can go, or deploy \
             with --partitions {have}"
        ),
    };
    Ok(Step {
        name,
        kind: Kind::Topic,
        change,
        note: match want {
            1 => "1 partition".to_owned(),
            _ => format!("{want} partitions"),
        },
        warning: None,
    })
}

fn deploy_smartmodule(module: &SmartModule, present: &Present) -> Result<Step> {
    let SmartModule { name, wasm } = module;
    if wasm.len() > SMARTMODULE_BYTES_MAX {
        bail!(
            "SmartModule {name} has {} bytes, a cluster takes {SMARTMODULE_BYTES_MAX}: build it with `cargo xtask \
             smartmodules`, which strips it, or give it smaller models",
            wasm.len()
        );
    }
    let spec = || -> Result<Spec> {
        Ok(Spec::SmartModule(SmartModuleSpec {
            wasm: SmartModuleWasm::from_raw_wasm_bytes(wasm)
                .with_context(|| format!("SmartModule {name} cannot be packed"))?,
            ..SmartModuleSpec::default()
        }))
    };
    let kb = |bytes: usize| bytes.div_ceil(1000);
    let mut note = format!("{} KB", kb(wasm.len()));
    let change = match present.smartmodules.get(*name) {
        None => Change::Create(spec()?),
        Some(there) if there == wasm => Change::None,
        Some(there) => {
            note = format!("{note}, was {} KB", kb(there.len()));
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

/// The module with the slot, with the models it is to serve.
fn deploy_models(module: &SmartModule, production: &ModelPair, present: &Present) -> Result<Step> {
    let there = present.smartmodules.get(module.name).map(Vec::as_slice);
    let serving = serving::module_to_serve(&module.wasm, there, production)?;
    let filled = SmartModule {
        name: module.name,
        wasm: serving.wasm,
    };
    let step = deploy_smartmodule(&filled, present)?;
    Ok(Step {
        note: format!("{}, {}", step.note, serving.models),
        warning: serving.warning,
        ..step
    })
}

/// What `smdk load` brought goes: an SPU asked for a name takes any module or package of that name.
fn delete_package(package: &str) -> Result<Step> {
    if !package.starts_with(PACKAGE_GROUP) {
        bail!(
            "SmartModule {package} goes by the name of one of ours, and an SPU would take any of the two: delete it, or \
             deploy to another cluster"
        );
    }
    Ok(Step {
        name: package.to_owned(),
        kind: Kind::SmartModule,
        change: Change::Delete,
        note: "goes by the same name".to_owned(),
        warning: None,
    })
}

fn deploy_table_format(format: &TableFormatSpec, present: &Present) -> Step {
    Step {
        name: format.name.clone(),
        kind: Kind::TableFormat,
        note: String::new(),
        warning: None,
        change: match present.table_formats.get(&format.name) {
            None => Change::Create(Spec::TableFormat(format.clone())),
            Some(there) if there == format => Change::None,
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
            "  {change:<10} {:<13} {:<19} {}",
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

    fn assets() -> Assets {
        Assets {
            topics: assets::topics().unwrap(),
            smartmodules: vec![SmartModule {
                name: "crypto-clean",
                wasm: b"\0asm, new".to_vec(),
            }],
            table_formats: assets::table_formats().unwrap(),
            production: ModelPair::default(),
        }
    }

    /// A cluster on which that was deployed.
    fn deployed() -> Present {
        let assets = assets();
        Present {
            topics: assets
                .topics
                .iter()
                .map(|topic| (topic.meta.name.clone(), 3))
                .collect(),
            smartmodules: assets
                .smartmodules
                .into_iter()
                .map(|module| (module.name.to_owned(), module.wasm))
                .collect(),
            table_formats: assets
                .table_formats
                .into_iter()
                .map(|format| (format.name.clone(), format))
                .collect(),
            ..Present::default()
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
        let plan = Plan::deploy(&assets(), &Present::default()).unwrap();
        assert_eq!(plan.changes(), plan.steps.len());
        let lines = lines(&plan);
        assert_eq!(lines[0], "create topic crypto-raw 3 partitions");
        assert!(lines.contains(&"create SmartModule crypto-clean 1 KB".to_owned()));
        assert!(lines.contains(&"create table format crypto-alerts".to_owned()));
    }

    #[test]
    fn the_second_time_nothing_changes() {
        let plan = Plan::deploy(&assets(), &deployed()).unwrap();
        assert_eq!(plan.changes(), 0, "{plan}");
        assert!(plan.to_string().ends_with("nothing to change"));
    }

    #[test]
    fn what_differs_is_replaced() {
        let mut present = deployed();
        *present.smartmodules.get_mut("crypto-clean").unwrap() = vec![0; 2500];
        present
            .table_formats
            .get_mut("crypto-alerts")
            .unwrap()
            .columns = None;
        let plan = Plan::deploy(&assets(), &present).unwrap();
        assert_eq!(plan.changes(), 2);
        let lines = lines(&plan);
        assert!(lines.contains(&"update SmartModule crypto-clean 1 KB, was 3 KB".to_owned()));
        assert!(lines.contains(&"update table format crypto-alerts".to_owned()));
    }

    #[test]
    fn another_partition_count_is_refused() {
        let mut present = deployed();
        *present.topics.get_mut("crypto-clean").unwrap() = 5;
        let error = Plan::deploy(&assets(), &present).unwrap_err().to_string();
        assert_eq!(
            error,
            "the partition count of topic crypto-clean is 5, not 3: delete the topic if its data can go, or deploy \
             with --partitions 5"
        );
    }

    #[test]
    fn a_module_too_large_is_refused() {
        let mut assets = assets();
        assets.smartmodules[0].wasm = vec![0; SMARTMODULE_BYTES_MAX + 1];
        let error = Plan::deploy(&assets, &Present::default())
            .unwrap_err()
            .to_string();
        assert!(
            error
                .starts_with("SmartModule crypto-clean has 1000001 bytes, a cluster takes 1000000"),
            "{error}"
        );
    }

    #[test]
    fn a_package_of_the_same_name_goes_or_is_refused() {
        let mut present = deployed();
        present.packages = vec!["coinlake/crypto-clean@0.1.0".to_owned()];
        let steps = lines(&Plan::deploy(&assets(), &present).unwrap());
        let step = "delete SmartModule coinlake/crypto-clean@0.1.0 goes by the same name";
        assert!(steps.contains(&step.to_owned()), "{steps:?}");
        assert_eq!(Plan::delete(&present, false).unwrap().changes(), 5);
        present.packages = vec!["somebody/crypto-clean@2.0.0".to_owned()];
        let error = Plan::deploy(&assets(), &present).unwrap_err().to_string();
        assert!(
            error.starts_with("SmartModule somebody/crypto-clean@2.0.0"),
            "{error}"
        );
    }

    #[test]
    fn deleting_keeps_the_data_unless_told() {
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
            Plan::delete(&Present::default(), true).unwrap().changes(),
            0
        );
    }
}
