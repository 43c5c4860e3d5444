//! The platform as it looks from outside, from the broker and the lake alone.
//!
//! It works for the one-machine platform and for a cluster alike, and while a stage is down. `coinlake health` and the
//! console's Pipeline page show it.
//!
//! - `blueprint`: which topics, SmartModules and stages a platform should have.
//! - `report`: what a survey found, as scripts and the web page get it.
//! - `surveyor`: compares a platform with its blueprint; `topics`, `smartmodules`, `stages` and
//!   `freshness` are its parts.
//! - `tables`: what is known of the lake's tables; who shares it asks the lake less.
//!
//! ```
//! use connector_runtime::cluster::Cluster;
//! use lake::Lake;
//! use survey::{Blueprint, Survey, Surveyor, Tables};
//!
//! async fn survey(cluster: &Cluster, lake: Lake, blueprint: Blueprint) -> anyhow::Result<Survey> {
//!     let client = cluster.connect().await?;
//!     Surveyor::new(blueprint, Tables::new(lake)).survey(&client).await
//! }
//!
//! // A broker or lake that cannot be reached is a finding too.
//! let unreachable = Survey::failed(&anyhow::anyhow!("no Fluvio cluster at 127.0.0.1:9003"));
//! assert!(!unreachable.ok);
//! assert_eq!(unreachable.problems[0].message, "no Fluvio cluster at 127.0.0.1:9003");
//! ```

mod blueprint;
mod freshness;
mod report;
mod smartmodules;
mod stages;
mod surveyor;
mod tables;
mod topics;

pub use blueprint::{Blueprint, DestinationPlan, StagePlan};
pub use report::{CoinAge, Freshness, LakeLayer, Problem, SmartModule, Stage, Survey, Topic};
pub use surveyor::Surveyor;
pub use tables::Tables;
