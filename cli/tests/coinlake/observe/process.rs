//! The command, started and asked over HTTP.

use std::ops::Deref;
use std::process::Command;

use fixtures::process::Process;

/// A command that runs, killed when it is dropped. It was given `--metrics-listen 0`.
pub(crate) struct Running {
    process: Process,
    /// `http://127.0.0.1:PORT`
    metrics: String,
}

impl Running {
    pub(crate) fn start(command: Command) -> Self {
        let process = Process::start(command);
        let url = process.line_after("metrics at ");
        let (metrics, _) = url.split_once("/metrics").unwrap();
        Self {
            metrics: metrics.to_owned(),
            process,
        }
    }

    /// Looks until there is something.
    pub(crate) fn wait_for<T>(&self, what: &str, mut look: impl FnMut(&Self) -> Option<T>) -> T {
        self.process.wait_for(what, |_| look(self))
    }

    /// Status and body of a path.
    pub(crate) fn get(&self, path: &str) -> Option<(u16, String)> {
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

    pub(crate) fn wait_until_ready(&self) {
        self.wait_for("readiness", |running| {
            let (status, _) = running.get("/readyz")?;
            (status == 200).then_some(())
        });
    }

    /// SIGKILL: no destructor runs, no buffer is flushed.
    pub(crate) fn kill(self) {
        self.process.kill();
    }

    /// As Ctrl-C does.
    pub(crate) fn interrupt(self) -> Vec<String> {
        self.process.interrupt()
    }
}

impl Deref for Running {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.process
    }
}
