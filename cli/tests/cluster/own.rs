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

/// What a cluster shows to clients and asks of them.
pub struct ServerTls {
    /// Signs the clients' certificates.
    pub ca_cert: PathBuf,
    pub cert: PathBuf,
    pub key: PathBuf,
}

pub struct OwnCluster {
    program: PathBuf,
    dir: PathBuf,
    sc: Listens,
    spu: Listens,
    tls: Option<ServerTls>,
    _sc_process: Child,
    spu_process: Child,
}

/// The ports of an SC or an SPU.
struct Listens {
    public: u16,
    private: u16,
    /// A second public port without TLS, used where `public` has TLS.
    plain: u16,
}

impl OwnCluster {
    /// Starts it with its data in `dir`.
    pub async fn start(program: PathBuf, dir: &Path) -> Self {
        Self::start_with(program, dir, None).await.unwrap()
    }

    /// Starts it, with TLS for clients. `Err`: the log of the SC, when it ended instead of coming up.
    pub async fn start_with(
        program: PathBuf,
        dir: &Path,
        tls: Option<ServerTls>,
    ) -> Result<Self, String> {
        fs::create_dir_all(dir).unwrap();
        let [sc, spu] = listens();
        let metadata = dir.join("metadata");
        let mut command = Command::new(&program);
        command.arg("sc").arg("--local").arg(&metadata);
        command.args(["--bind-public", &on(sc.public)]);
        command.args(["--bind-private", &on(sc.private)]);
        with_tls(&mut command, &sc, tls.as_ref());
        let log = dir.join("sc.log");
        let mut sc_process = spawn(command, &log);
        let plain = match tls {
            Some(_) => sc.plain,
            None => sc.public,
        };
        let cluster = Cluster::at(on(plain));
        tokio::select! {
            () = register_spu(&cluster, &spu) => {}
            _ = sc_process.wait() => return Err(fs::read_to_string(log).unwrap()),
        }
        let mut own = Self {
            spu_process: start_spu(&program, dir, &sc, &spu, tls.as_ref()),
            program,
            dir: dir.to_owned(),
            sc,
            spu,
            tls,
            _sc_process: sc_process,
        };
        own.is_online(&cluster).await;
        Ok(own)
    }

    /// Where clients connect.
    pub fn addr(&self) -> String {
        on(self.sc.public)
    }

    /// SIGKILL, and a new SPU on the same data.
    pub async fn kill_spu(&mut self) {
        self.spu_process.kill().await.unwrap();
        let (dir, tls) = (&self.dir, self.tls.as_ref());
        self.spu_process = start_spu(&self.program, dir, &self.sc, &self.spu, tls);
    }

    /// Waits until the SC knows of the SPU.
    async fn is_online(&mut self, cluster: &Cluster) {
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

async fn register_spu(cluster: &Cluster, spu: &Listens) {
    let mut spec = CustomSpuSpec {
        id: SPU_ID,
        ..CustomSpuSpec::default()
    };
    spec.public_endpoint.port = spu.public;
    spec.public_endpoint.ingress.push(Default::default());
    spec.public_endpoint.ingress[0].hostname = Some(LOOPBACK.to_owned());
    spec.private_endpoint.port = spu.private;
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

fn start_spu(
    program: &Path,
    dir: &Path,
    sc: &Listens,
    spu: &Listens,
    tls: Option<&ServerTls>,
) -> Child {
    let mut command = Command::new(program);
    command.args(["spu", "--id", &SPU_ID.to_string()]);
    command.args(["--public-server", &on(spu.public)]);
    command.args(["--private-server", &on(spu.private)]);
    command.args(["--sc-addr", &on(sc.private)]);
    command.arg("--log-base-dir").arg(dir.join("spu"));
    with_tls(&mut command, spu, tls);
    spawn(command, &dir.join("spu.log"))
}

/// SC and SPU take the same arguments.
fn with_tls(command: &mut Command, listens: &Listens, tls: Option<&ServerTls>) {
    let Some(tls) = tls else { return };
    command.args(["--tls", "--enable-client-cert"]);
    command.args(["--bind-non-tls-public", &on(listens.plain)]);
    command.arg("--ca-cert").arg(&tls.ca_cert);
    command.arg("--server-cert").arg(&tls.cert);
    command.arg("--server-key").arg(&tls.key);
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
fn listens<const N: usize>() -> [Listens; N] {
    let free = || TcpListener::bind((LOOPBACK, 0)).unwrap();
    let listeners = [(); N].map(|()| [free(), free(), free()]);
    listeners.map(|of_one| {
        let [public, private, plain] = of_one.map(|free| free.local_addr().unwrap().port());
        Listens {
            public,
            private,
            plain,
        }
    })
}

fn on(port: u16) -> String {
    format!("{LOOPBACK}:{port}")
}
