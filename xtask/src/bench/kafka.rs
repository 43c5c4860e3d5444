//! A Kafka broker: one node that is its own controller.

use std::fs::{self, File};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::process::{Running, run};

const START_TIMEOUT: Duration = Duration::from_secs(60);
const LOOK_INTERVAL: Duration = Duration::from_millis(50);
const CLUSTER: &str = "Y29pbmxha2UtYmVuY2gtMQ";

/// A running broker, which is killed on drop.
pub(super) struct Kafka {
    process: Running,
    address: String,
}

impl Kafka {
    /// Starts one with these jars and empty logs in `folder`, and waits until it listens.
    pub(super) fn start(jars: &Path, folder: &Path) -> Result<Self> {
        if folder.exists() {
            fs::remove_dir_all(folder)?;
        }
        fs::create_dir_all(folder)?;
        let (address, controller) = (free_address()?, free_address()?);
        let settings = folder.join("server.properties");
        let logs = folder.join("logs");
        fs::write(
            &settings,
            format!(
                "process.roles=broker,controller\nnode.id=1\ncontroller.quorum.voters=1@{controller}\n\
                 listeners=PLAINTEXT://{address},CONTROLLER://{controller}\ncontroller.listener.names=CONTROLLER\n\
                 log.dirs={}\noffsets.topic.replication.factor=1\ntransaction.state.log.replication.factor=1\n\
                 transaction.state.log.min.isr=1\n",
                logs.display()
            ),
        )?;
        let output = File::create(folder.join("output"))?;
        let java = |class: &str| -> Result<Command> {
            let mut java = Command::new("java");
            // The heap that Kafka's own script gives it.
            java.args(["-Xmx1g", "-cp"]).arg(jars.join("*")).arg(class);
            java.stdout(output.try_clone()?).stderr(output.try_clone()?);
            Ok(java)
        };
        let mut format = java("kafka.tools.StorageTool")?;
        run(format.args(["format", "-t", CLUSTER, "-c"]).arg(&settings))?;
        let mut server = java("kafka.Kafka")?;
        let server = server.arg(&settings).spawn();
        let mut process = Running(server.context("Kafka needs a Java runtime")?);
        let started = Instant::now();
        while TcpStream::connect(&address).is_err() {
            if process.0.try_wait()?.is_some() || started.elapsed() > START_TIMEOUT {
                bail!(
                    "Kafka did not start: see {}",
                    folder.join("output").display()
                );
            }
            thread::sleep(LOOK_INTERVAL);
        }
        Ok(Self { process, address })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Its process.
    pub(super) fn id(&self) -> u32 {
        self.process.0.id()
    }
}

fn free_address() -> Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}
