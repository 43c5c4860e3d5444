//! The cluster under test, and commands that run against it.

use std::path::PathBuf;
use std::process::Output;

use broker::Faults;
use connector_runtime::cluster::{Client, Cluster};
use fixtures::broker::TestBroker;
use fixtures::genuine::{self, OwnCluster};
use fixtures::process::{self, succeeded};
use fluvio::metadata::smartmodule::SmartModuleSpec;
use fluvio::metadata::tableformat::TableFormatSpec;
use fluvio::metadata::topic::TopicSpec;
use tempfile::TempDir;
use tokio::process::Command;
use tokio::sync::{Mutex, MutexGuard};

/// The names under which a test's own broker or cluster stands in its profile file.
const EMBEDDED: &str = "embedded";
const OWN: &str = "own";

/// A cluster that holds nothing of Coinlake at the start.
pub(super) struct Target {
    pub cluster: Cluster,
    pub profile: String,
    /// Empty at the start.
    pub dir: TempDir,
    profiles: Option<PathBuf>,
    broker: Option<TestBroker>,
    /// The processes of a cluster of one's own.
    pub own: Option<OwnCluster>,
    /// One test at a time uses a genuine cluster.
    _turn: Option<MutexGuard<'static, ()>>,
}

impl Target {
    /// Every cluster there is to test on.
    pub(super) async fn all() -> Vec<Self> {
        let mut all = vec![Self::embedded().await];
        all.extend(Self::genuine().await);
        all
    }

    /// An embedded broker of one's own.
    pub(super) async fn embedded() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let broker = TestBroker::start().await;
        let profiles = dir.path().join("profiles");
        std::fs::write(&profiles, plain_profile(EMBEDDED, broker.addr())).unwrap();
        Self {
            cluster: broker.cluster(),
            profile: EMBEDDED.to_owned(),
            dir,
            profiles: Some(profiles),
            broker: Some(broker),
            own: None,
            _turn: None,
        }
    }

    /// A genuine cluster of one's own, where there is a `fluvio-run` to start one with.
    pub(super) async fn own() -> Option<Self> {
        let program = genuine::fluvio_run()?;
        let dir = tempfile::tempdir().unwrap();
        let own = OwnCluster::start(program, &dir.path().join("cluster"), None).await;
        let own = own.unwrap();
        let profiles = dir.path().join("profiles");
        std::fs::write(&profiles, plain_profile(OWN, own.addr())).unwrap();
        Some(Self {
            cluster: Cluster::at(own.addr()),
            profile: OWN.to_owned(),
            dir,
            profiles: Some(profiles),
            broker: None,
            own: Some(own),
            _turn: None,
        })
    }

    /// The genuine cluster whose profile `COINLAKE_TEST_CLUSTER` names, else one of one's own.
    pub(super) async fn genuine() -> Option<Self> {
        static TURN: Mutex<()> = Mutex::const_new(());
        let Some((cluster, profile)) = genuine::shared() else {
            return Self::own().await;
        };
        let turn = TURN.lock().await;
        let target = Self {
            cluster,
            profile,
            dir: tempfile::tempdir().unwrap(),
            profiles: None,
            broker: None,
            own: None,
            _turn: Some(turn),
        };
        let topics = target.topics().await;
        assert!(
            topics.is_empty(),
            "{} holds {topics:?}, perhaps somebody's data: if it can go, `coinlake deploy --delete --with-data` first",
            target.cluster.name()
        );
        Some(target)
    }

    /// What an embedded broker can be made to do.
    pub(super) fn faults(&self) -> Option<&Faults> {
        self.broker.as_ref().map(TestBroker::faults)
    }

    pub(super) async fn client(&self) -> Client {
        self.cluster.connect().await.unwrap()
    }

    /// A program built with this one, which finds the profile.
    pub(super) fn program(&self, name: &str) -> Command {
        let mut command = program(name);
        if let Some(profiles) = &self.profiles {
            command.env("FLV_PROFILE_PATH", profiles);
        }
        command
    }

    /// `coinlake deploy` with more arguments and no terminal.
    pub(super) async fn deploy(&self, arguments: &[&str]) -> Output {
        let mut command = self.program("coinlake");
        command.args(["deploy", "--profile", &self.profile]);
        command.args(arguments).output().await.unwrap()
    }

    /// `coinlake deploy --yes`, which must succeed; returns what it printed.
    pub(super) async fn deployed(&self, arguments: &[&str]) -> String {
        let output = self.deploy(&[&["--yes"], arguments].concat()).await;
        succeeded(&output)
    }

    /// Deletes everything of Coinlake.
    pub(super) async fn clean_up(self) {
        self.deployed(&["--delete", "--with-data"]).await;
        if let Some(mut broker) = self.broker {
            broker.stop().await;
        }
    }

    /// The topics of Coinlake that are there.
    pub(super) async fn topics(&self) -> Vec<String> {
        let admin = self.client().await.admin().await;
        let all = admin.all::<TopicSpec>().await.unwrap();
        ours(all.into_iter().map(|topic| topic.name))
    }

    /// The SmartModules of Coinlake that are there.
    pub(super) async fn smartmodules(&self) -> Vec<String> {
        let admin = self.client().await.admin().await;
        let all = admin.all::<SmartModuleSpec>().await.unwrap();
        ours(all.into_iter().map(|module| module.name))
    }

    /// The table formats of Coinlake that are there.
    pub(super) async fn table_formats(&self) -> Vec<String> {
        let admin = self.client().await.admin().await;
        let all = admin.all::<TableFormatSpec>().await.unwrap();
        ours(all.into_iter().map(|format| format.name))
    }
}

fn ours(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut ours: Vec<_> = names.filter(|name| name.starts_with("crypto-")).collect();
    ours.sort();
    ours
}

/// A program built with this one; it ends with the test.
pub(super) fn program(name: &str) -> Command {
    let mut command = Command::from(process::program(name));
    command.kill_on_drop(true);
    command
}

/// A profile file's entry for a cluster without TLS.
pub(super) fn plain_profile(name: &str, addr: impl std::fmt::Display) -> String {
    format!(
        "version = \"2.0\"\n[profile.{name}]\ncluster = \"{name}\"\n\
         [cluster.{name}]\nendpoint = \"{addr}\"\n[cluster.{name}.tls]\ntls_policy = \"disabled\"\n"
    )
}
