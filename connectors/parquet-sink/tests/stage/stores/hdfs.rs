//! HDFS by Hadoop's own NameNode and DataNodes, each a process of its own.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use fixtures::companion::{Companion, free_port};
use fixtures::process::succeeded;
use lake::LakeError;
use tempfile::TempDir;

use super::Place;

/// Who runs the NameNode, and may do anything. The stage is somebody else.
const SUPERUSER: &str = "hdfs";
const DATANODES: usize = 2;
/// `hdfs dfsadmin`, `hdfs haadmin` and `hdfs dfs`.
const ADMIN: &str = "org.apache.hadoop.hdfs.tools.DFSAdmin";
const HA_ADMIN: &str = "org.apache.hadoop.hdfs.tools.DFSHAAdmin";
const SHELL: &str = "org.apache.hadoop.fs.FsShell";
const ANY_PORT: &str = "127.0.0.1:0";

/// What clients call several NameNodes of which one is active.
const NAMESERVICE: &str = "lakes";

/// A cluster whose root folder everybody may write to.
pub(super) struct Hdfs {
    jars: PathBuf,
    /// Of each NameNode.
    ports: Vec<u16>,
    /// Which of them is active.
    active: usize,
    namenodes: Vec<Companion>,
    datanodes: Vec<Companion>,
    /// Last, so that it goes after the processes that write into it.
    folder: TempDir,
}

impl Hdfs {
    /// With one NameNode, or two of which one stands by.
    pub(super) fn start(namenodes: usize) -> Option<Self> {
        let Some(jars) = std::env::var_os("COINLAKE_HADOOP_JARS") else {
            println!("skipped: COINLAKE_HADOOP_JARS names no folder with Hadoop's minicluster");
            return None;
        };
        let mut cluster = Self {
            jars: jars.into(),
            folder: tempfile::tempdir().unwrap(),
            ports: (0..namenodes).map(|_| free_port()).collect(),
            active: 0,
            namenodes: Vec::new(),
            datanodes: Vec::new(),
        };
        cluster.configure();
        succeeded(&cluster.namenode(0).arg("-format").output().unwrap());
        for number in 0..namenodes {
            if number > 0 {
                let copied = Command::new("cp")
                    .args(["-r", "name-0", &format!("name-{number}")])
                    .current_dir(cluster.folder.path())
                    .status();
                assert!(copied.unwrap().success());
            }
            cluster.start_namenode(number);
        }
        if namenodes > 1 {
            cluster.tool(HA_ADMIN, &["-transitionToActive", "nn0"]);
        }
        for number in 0..DATANODES {
            cluster.start_datanode(number);
        }
        cluster.tool(SHELL, &["-chmod", "777", "/"]);
        let datanodes = format!("Live datanodes ({DATANODES}):");
        let up = || {
            cluster
                .tool(ADMIN, &["-report", "-live"])
                .contains(&datanodes)
        };
        cluster.namenodes[0].wait_until("DataNodes", up);
        Some(cluster)
    }

    /// What every process of the cluster reads.
    fn configure(&self) {
        let mut settings = vec![
            ("fs.defaultFS".to_owned(), self.url()),
            ("dfs.namenode.http-address".to_owned(), ANY_PORT.to_owned()),
            ("dfs.datanode.address".to_owned(), ANY_PORT.to_owned()),
            ("dfs.datanode.ipc.address".to_owned(), ANY_PORT.to_owned()),
            ("dfs.datanode.http.address".to_owned(), ANY_PORT.to_owned()),
            ("dfs.replication".to_owned(), DATANODES.to_string()),
            // Sooner than usual: leaves safe mode, and notices that a DataNode is gone or back.
            ("dfs.namenode.safemode.extension".to_owned(), "0".to_owned()),
            ("dfs.heartbeat.interval".to_owned(), "1".to_owned()),
            (
                "dfs.namenode.heartbeat.recheck-interval".to_owned(),
                "500".to_owned(),
            ),
        ];
        if self.ports.len() > 1 {
            settings.extend(self.nameservice());
            settings.push(("dfs.nameservices".to_owned(), NAMESERVICE.to_owned()));
            let shared = "dfs.namenode.shared.edits.dir".to_owned();
            settings.push((shared, self.file_url("shared")));
            let checkpoints = "dfs.ha.standby.checkpoints".to_owned();
            settings.push((checkpoints, "false".to_owned()));
            // The tests decide which one is active.
            let fencing = "dfs.ha.fencing.methods".to_owned();
            settings.push((fencing, "shell(/bin/true)".to_owned()));
        }
        let mut xml = "<configuration>".to_owned();
        for (name, value) in settings {
            xml += &format!("<property><name>{name}</name><value>{value}</value></property>");
        }
        xml += "</configuration>";
        let conf = self.folder.path().join("conf");
        std::fs::create_dir_all(&conf).unwrap();
        for file in ["core-site.xml", "hdfs-site.xml"] {
            std::fs::write(conf.join(file), &xml).unwrap();
        }
    }

    /// What clients have to know of several NameNodes.
    fn nameservice(&self) -> Vec<(String, String)> {
        let names = (0..self.ports.len()).map(|number| format!("nn{number}"));
        let names: Vec<String> = names.collect();
        let mut settings = vec![
            (format!("dfs.ha.namenodes.{NAMESERVICE}"), names.join(",")),
            (
                format!("dfs.client.failover.proxy.provider.{NAMESERVICE}"),
                "org.apache.hadoop.hdfs.server.namenode.ha.ConfiguredFailoverProxyProvider"
                    .to_owned(),
            ),
        ];
        for (name, port) in names.iter().zip(&self.ports) {
            let address = format!("dfs.namenode.rpc-address.{NAMESERVICE}.{name}");
            settings.push((address, format!("127.0.0.1:{port}")));
            let http = format!("dfs.namenode.http-address.{NAMESERVICE}.{name}");
            settings.push((http, ANY_PORT.to_owned()));
        }
        settings
    }

    fn file_url(&self, name: &str) -> String {
        format!("file://{}", self.folder.path().join(name).display())
    }

    fn url(&self) -> String {
        match self.ports[..] {
            [port] => format!("hdfs://127.0.0.1:{port}"),
            _ => format!("hdfs://{NAMESERVICE}"),
        }
    }

    fn java(&self, arguments: &[&str]) -> Command {
        let mut class_path = OsString::from(self.folder.path().join("conf"));
        class_path.push(":");
        class_path.push(self.jars.join("*"));
        let mut command = Command::new("java");
        command
            .args(["-Xmx192m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"])
            // The web server leaves files in it.
            .arg(format!("-Djava.io.tmpdir={}", self.folder.path().display()))
            .arg("-cp")
            .arg(class_path)
            .args(arguments)
            .current_dir(self.folder.path())
            .env("HADOOP_USER_NAME", SUPERUSER);
        command
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    fn namenode(&self, number: usize) -> Command {
        let mut command = self.java(&["org.apache.hadoop.hdfs.server.namenode.NameNode"]);
        let files = self.file_url(&format!("name-{number}"));
        command.arg(format!("-Ddfs.namenode.name.dir={files}"));
        if self.ports.len() > 1 {
            command.arg(format!("-Ddfs.ha.namenode.id=nn{number}"));
        }
        command
    }

    /// Starts a NameNode, on the port it had.
    fn start_namenode(&mut self, number: usize) {
        let namenode = Companion::start(&self.namenode(number), &self.log());
        let addr = ("127.0.0.1", self.ports[number]);
        namenode.wait_until("NameNode", || std::net::TcpStream::connect(addr).is_ok());
        match self.namenodes.get_mut(number) {
            Some(before) => *before = namenode,
            None => self.namenodes.push(namenode),
        }
    }

    /// Runs one of Hadoop's commands, and returns what it printed.
    fn tool(&self, class: &str, arguments: &[&str]) -> String {
        let all: Vec<&str> = std::iter::once(class)
            .chain(arguments.iter().copied())
            .collect();
        succeeded(&self.java(&all).output().unwrap())
    }

    /// After [`kill_namenode`](Self::kill_namenode): fails over to the other NameNode, if there is one, and restarts the killed one.
    pub(super) fn recover(&mut self) {
        let killed = self.active;
        if self.ports.len() > 1 {
            self.active = (killed + 1) % self.ports.len();
            let (from, to) = (format!("nn{killed}"), format!("nn{}", self.active));
            self.tool(HA_ADMIN, &["-failover", &from, &to]);
        }
        self.start_namenode(killed);
    }

    /// Starts a DataNode on the files it had.
    pub(super) fn start_datanode(&mut self, number: usize) {
        let files = format!(
            "-Ddfs.datanode.data.dir={}",
            self.file_url(&format!("data-{number}"))
        );
        let command = self.java(&["org.apache.hadoop.hdfs.server.datanode.DataNode", &files]);
        let datanode = Companion::start(&command, &self.log());
        match self.datanodes.get_mut(number) {
            Some(before) => *before = datanode,
            None => self.datanodes.push(datanode),
        }
    }

    /// kill -9 of the active one.
    pub(super) fn kill_namenode(&mut self) {
        self.namenodes[self.active].kill();
    }

    /// kill -9.
    pub(super) fn kill_datanode(&mut self, number: usize) {
        self.datanodes[number].kill();
    }

    pub(super) fn place(&self) -> Place {
        let mut place = Place::new(format!("{}/lake", self.url()));
        if self.ports.len() > 1 {
            for (name, value) in self.nameservice() {
                place = place.with(&name, value);
            }
        }
        place
    }
}

/// Creates a file at this place.
async fn create(place: &Place) -> Result<(), LakeError> {
    let contents = vec![b'x'; 1000].into();
    let created = place.open().create("raw/file", contents, "a test").await;
    created.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_named_with_its_remedy() {
    let Some(cluster) = Hdfs::start(1) else {
        return;
    };
    let url = cluster.url();
    let in_folder = |name: &str| Place::new(format!("{url}/{name}/lake"));

    cluster.tool(SHELL, &["-mkdir", "/others", "/names", "/space"]);
    let error = create(&in_folder("others")).await.unwrap_err();
    assert!(matches!(error, LakeError::Denied { .. }), "{error}");
    assert!(error.to_string().contains("HADOOP_USER_NAME"), "{error}");

    cluster.tool(SHELL, &["-chmod", "777", "/names", "/space"]);
    cluster.tool(ADMIN, &["-setQuota", "1", "/names"]);
    let error = create(&in_folder("names")).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    assert!(error.to_string().contains("-setQuota"), "{error}");

    cluster.tool(ADMIN, &["-setSpaceQuota", "1", "/space"]);
    let error = create(&in_folder("space")).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    assert!(error.to_string().contains("-setSpaceQuota"), "{error}");

    cluster.tool(ADMIN, &["-safemode", "enter"]);
    let error = create(&cluster.place()).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    assert!(error.to_string().contains("safe mode"), "{error}");
    cluster.tool(ADMIN, &["-safemode", "leave"]);
    create(&cluster.place()).await.unwrap();
}
