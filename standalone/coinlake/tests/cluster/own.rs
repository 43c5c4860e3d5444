//! A Fluvio cluster of a test's own, whose SPU can be killed: an SC and an SPU, processes of the `fluvio-run` that
//! `COINLAKE_FLUVIO_RUN` names. They end with the test.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use connector_runtime::cluster::Cluster;
use fluvio::metadata::customspu::CustomSpuSpec;
use fluvio::metadata::spu::SpuSpec;
use tokio::process::{Child, Command};

/// How long the cluster may take to come up.
const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(100);

const LOOPBACK: &str = "127.0.0.1";
const SPU_ID: i32 = 5001;

pub struct OwnCluster {
    program: PathBuf,
    dir: PathBuf,
    sc_public: u16,
    sc_private: u16,
    spu_public: u16,
    spu_private: u16,
    _sc: Child,
    spu: Child,
}

impl OwnCluster {
    /// Starts it with its data in `dir`.
    pub async fn start(program: PathBuf, dir: &Path) -> Self {
        fs::create_dir_all(dir).unwrap();
        let [sc_public, sc_private, spu_public, spu_private] = free_ports();
        let metadata = dir.join("metadata");
        let mut sc = Command::new(&program);
        sc.arg("sc").arg("--local").arg(&metadata);
        sc.args(["--bind-public", &on(sc_public)]);
        sc.args(["--bind-private", &on(sc_private)]);
        let sc = spawn(sc, &dir.join("sc.log"));
        register_spu(&Cluster::at(on(sc_public)), spu_public, spu_private).await;
        let mut own = Self {
            spu: start_spu(&program, dir, sc_private, spu_public, spu_private),
            program,
            dir: dir.to_owned(),
            sc_public,
            sc_private,
            spu_public,
            spu_private,
            _sc: sc,
        };
        own.is_online().await;
        own
    }

    /// Where clients connect.
    pub fn addr(&self) -> String {
        on(self.sc_public)
    }

    /// SIGKILL, and a new SPU on the same data.
    pub async fn kill_spu(&mut self) {
        self.spu.kill().await.unwrap();
        self.spu = start_spu(
            &self.program,
            &self.dir,
            self.sc_private,
            self.spu_public,
            self.spu_private,
        );
    }

    /// Waits until the SC knows of the SPU.
    async fn is_online(&mut self) {
        let cluster = Cluster::at(self.addr());
        eventually(&self.dir, async || {
            let Ok(client) = cluster.connect().await else {
                return false;
            };
            let spus = client.admin().await.all::<SpuSpec>().await.unwrap();
            spus.iter().any(|spu| spu.status.is_online())
        })
        .await;
    }
}

async fn register_spu(cluster: &Cluster, public: u16, private: u16) {
    let mut spec = CustomSpuSpec {
        id: SPU_ID,
        ..CustomSpuSpec::default()
    };
    spec.public_endpoint.port = public;
    spec.public_endpoint.ingress.push(Default::default());
    spec.public_endpoint.ingress[0].hostname = Some(LOOPBACK.to_owned());
    spec.private_endpoint.port = private;
    let registering = async {
        loop {
            // Nobody listens before the SC is up.
            if let Ok(client) = cluster.connect().await {
                let admin = client.admin().await;
                let name = format!("custom-spu-{SPU_ID}");
                admin.create(name, false, spec).await.unwrap();
                return;
            }
            tokio::time::sleep(POLL).await;
        }
    };
    let registered = tokio::time::timeout(PATIENCE, registering).await;
    registered.expect("the SC does not come up");
}

fn start_spu(program: &Path, dir: &Path, sc_private: u16, public: u16, private: u16) -> Child {
    let mut spu = Command::new(program);
    spu.args(["spu", "--id", &SPU_ID.to_string()]);
    spu.args(["--public-server", &on(public)]);
    spu.args(["--private-server", &on(private)]);
    spu.args(["--sc-addr", &on(sc_private)]);
    spu.arg("--log-base-dir").arg(dir.join("spu"));
    spawn(spu, &dir.join("spu.log"))
}

fn spawn(mut command: Command, log: &Path) -> Child {
    let log = File::options().append(true).create(true).open(log).unwrap();
    command.stdin(Stdio::null()).kill_on_drop(true);
    command.stdout(log.try_clone().unwrap()).stderr(log);
    let program = command.as_std().get_program().to_owned();
    command
        .spawn()
        .unwrap_or_else(|error| panic!("{} does not start: {error}", program.display()))
}

async fn eventually(dir: &Path, mut so: impl AsyncFnMut() -> bool) {
    let looking = async {
        while !so().await {
            tokio::time::sleep(POLL).await;
        }
    };
    if tokio::time::timeout(PATIENCE, looking).await.is_err() {
        let log = fs::read_to_string(dir.join("spu.log")).unwrap_or_default();
        panic!("the SPU does not come up: {log}");
    }
}

/// Ports that were free a moment ago.
fn free_ports<const N: usize>() -> [u16; N] {
    let listeners = [(); N].map(|()| TcpListener::bind((LOOPBACK, 0)).unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}

fn on(port: u16) -> String {
    format!("{LOOPBACK}:{port}")
}
