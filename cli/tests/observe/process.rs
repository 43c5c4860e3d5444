//! The finished command, started and asked over HTTP.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// How long something may take before a test gives up on it.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// `coinlake` with these arguments.
pub fn coinlake(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_coinlake"));
    command.args(arguments);
    // What the machine at hand has set is no part of a test.
    for name in [
        "RUST_LOG",
        "COINLAKE_WEBHOOK_URL",
        "COINLAKE_WEBHOOK_SECRET",
    ] {
        command.env_remove(name);
    }
    command
}

/// A command that runs, killed when it is dropped. It was given `--metrics-listen 0`.
pub struct Running {
    child: Child,
    said: Arc<Mutex<Vec<String>>>,
    /// `http://127.0.0.1:PORT`
    pub metrics: String,
}

impl Running {
    pub fn start(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let said = Arc::new(Mutex::new(Vec::new()));
        let (stderr, lines) = (child.stderr.take().unwrap(), said.clone());
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                lines.lock().unwrap().push(line);
            }
        });
        let mut running = Self {
            child,
            said,
            metrics: String::new(),
        };
        running.metrics = running.wait_for("where its metrics are", |running| {
            running.said().iter().find_map(|line| {
                let (_, url) = line.split_once("metrics at ")?;
                let (url, _) = url.split_once("/metrics")?;
                Some(url.to_owned())
            })
        });
        running
    }

    /// What it has written to stderr.
    pub fn said(&self) -> Vec<String> {
        self.said.lock().unwrap().clone()
    }

    /// Looks until there is something.
    pub fn wait_for<T>(&self, what: &str, mut look: impl FnMut(&Self) -> Option<T>) -> T {
        let started = Instant::now();
        loop {
            if let Some(found) = look(self) {
                return found;
            }
            assert!(
                started.elapsed() < PATIENCE,
                "waited in vain for {what}: {:#?}",
                self.said()
            );
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Status and body of a path.
    pub fn get(&self, path: &str) -> Option<(u16, String)> {
        let url = format!("{}{path}", self.metrics);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let client = reqwest::Client::builder().no_proxy().build().unwrap();
            let reply = client.get(url).send().await.ok()?;
            Some((reply.status().as_u16(), reply.text().await.ok()?))
        })
    }

    pub fn wait_until_ready(&self) {
        self.wait_for("readiness", |running| {
            let (status, _) = running.get("/readyz")?;
            (status == 200).then_some(())
        });
    }

    /// SIGKILL: no destructor runs, no buffer is flushed.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// As Ctrl-C does.
    pub fn interrupt(mut self) -> Vec<String> {
        let killed = Command::new("kill")
            .args(["-INT", &self.child.id().to_string()])
            .status()
            .unwrap();
        assert!(killed.success());
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}: {:#?}", self.said());
        self.said()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
