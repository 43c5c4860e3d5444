//! What a survey found. The JSON form is the interface for scripts and for the console's page.

use serde::Serialize;

/// The state of a platform at one moment.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Survey {
    /// Whether there are no problems.
    pub ok: bool,
    /// What is wrong, each with its remedy.
    pub problems: Vec<Problem>,
    /// The topics that exist.
    pub topics: Vec<Topic>,
    /// Every SmartModule of the blueprint.
    pub smartmodules: Vec<SmartModule>,
    /// The models that crypto-predict serves, such as `anomaly_ahead/3`.
    pub models: Vec<String>,
    /// Every partition of every stage.
    pub stages: Vec<Stage>,
    /// The layers that the stages write.
    pub lake: Vec<LakeLayer>,
    /// How old the newest ticks are; `None` for a replay, and before the first tick.
    pub freshness: Option<Freshness>,
}

/// A difference between the platform and its blueprint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The topic, SmartModule or stage concerned; empty when the survey itself failed.
    pub about: String,
    /// One sentence that names the problem and the remedy.
    pub message: String,
}

/// A topic.
#[derive(Debug, Clone, Serialize)]
pub struct Topic {
    /// The topic's name.
    pub name: String,
    /// Number of partitions.
    pub partitions: u32,
    /// Records held in all partitions.
    pub records: i64,
}

/// A SmartModule of the blueprint.
#[derive(Debug, Clone, Serialize)]
pub struct SmartModule {
    /// The name that stages ask for.
    pub name: String,
    /// Whether the cluster has a SmartModule of that name.
    pub present: bool,
}

/// One partition of a stage.
#[derive(Debug, Clone, Serialize)]
pub struct Stage {
    /// The stage's name.
    pub name: String,
    /// The topic that the stage reads.
    pub topic: String,
    /// The partition of that topic.
    pub partition: u32,
    /// Input records not committed yet.
    pub lag: i64,
    /// The last committed input offset; `None` before the first commit.
    pub committed_offset: Option<i64>,
    /// Age of the last commit; `None` before the first commit.
    pub seconds_since_commit: Option<u64>,
}

/// A layer of the lake.
#[derive(Debug, Clone, Serialize)]
pub struct LakeLayer {
    /// The layer's name.
    pub name: String,
    /// Rows in all files.
    pub rows: u64,
    /// Number of files.
    pub files: u64,
    /// Total size of the files.
    pub bytes: u64,
}

/// How old the newest ticks are.
#[derive(Debug, Clone, Serialize)]
pub struct Freshness {
    /// Age of the newest tick of all coins, by the time that CoinGecko gives it.
    pub newest_tick_seconds: Option<u64>,
    /// Time since a new tick last arrived.
    pub seconds_since_arrival: u64,
    /// A longer time without one is a problem: ten minutes, and three polls.
    pub patience_seconds: u64,
    /// Whether that much has passed.
    pub silent: bool,
    /// The age of each coin's newest tick, the oldest first.
    pub coins: Vec<CoinAge>,
}

/// The age of a coin's newest tick.
#[derive(Debug, Clone, Serialize)]
pub struct CoinAge {
    /// The coin's id.
    pub coin: String,
    /// The age, by the time that CoinGecko gives the tick.
    pub seconds: u64,
}

impl Survey {
    /// The report of a survey that failed: `error`, with its causes, is the only problem.
    pub fn failed(error: &anyhow::Error) -> Self {
        Self {
            problems: vec![Problem {
                about: String::new(),
                message: format!("{error:#}"),
            }],
            ..Self::default()
        }
    }

    pub(crate) fn report(&mut self, about: &str, message: String) {
        self.problems.push(Problem {
            about: about.to_owned(),
            message,
        });
    }
}
