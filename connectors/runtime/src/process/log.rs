//! The log of a command: to stderr, one line an event, as text or JSON.
//!
//! `RUST_LOG` chooses what is logged, as everywhere in Rust: `RUST_LOG=debug`, `RUST_LOG=info,parquet_sink=trace`.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};

use tracing::Level;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{Directive, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// How log lines look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// What a connector logs when `RUST_LOG` does not say: the fluvio crates only when something is wrong.
pub const CONNECTOR_FILTER: &str = "info,fluvio=warn";

/// Whether what a command says goes into a log of JSON lines.
static JSON: AtomicBool = AtomicBool::new(false);

/// The target of the event that says why a command failed.
const FAILURE: &str = "connector_runtime::failure";

/// Something a command tells whoever started it: an event where such are logged, on stderr as it is where they are not.
pub fn say(text: &str) {
    if is_json() || tracing::enabled!(Level::INFO) {
        for line in text.lines() {
            tracing::info!("{line}");
        }
    } else {
        // Without stderr there is nobody to tell.
        let _ = writeln!(io::stderr(), "{text}");
    }
}

/// Whether stderr is to hold JSON lines and nothing else.
pub fn is_json() -> bool {
    JSON.load(Ordering::Relaxed)
}

/// Starts logging; `filter` holds where `RUST_LOG` does not say. At level `trace` the fluvio crates print whole requests,
/// SmartModule parameters included, so that level of theirs is never shown. A second call changes nothing.
pub fn init(format: LogFormat, filter: &str) {
    JSON.store(format == LogFormat::Json, Ordering::Relaxed);
    let chosen = std::env::var(EnvFilter::DEFAULT_ENV)
        .ok()
        .filter(|directives| !directives.is_empty())
        .and_then(|directives| directives.parse().ok());
    // Why a command failed is told whatever is logged.
    let filter = chosen
        .unwrap_or_else(|| EnvFilter::from(filter))
        .add_directive(Directive::from_str(&format!("{FAILURE}=error")).expect("a directive"));
    let no_requests = filter_fn(|metadata| {
        *metadata.level() != Level::TRACE || !metadata.target().starts_with("fluvio")
    });
    let coloured = io::stderr().is_terminal()
        && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(|| OneLine(io::stderr()))
        // They would be printed to stderr again, with a panic if that cannot be written.
        .log_internal_errors(false)
        .with_ansi(coloured);
    let registry = tracing_subscriber::registry()
        .with(filter)
        .with(no_requests);
    let started = match format {
        LogFormat::Text => registry.with(lines).try_init(),
        LogFormat::Json => registry
            .with(lines.json().flatten_event(true).with_ansi(false))
            .try_init(),
    };
    match started {
        Ok(()) if format == LogFormat::Json => {
            // A panic is an event too.
            std::panic::set_hook(Box::new(
                |panic| tracing::error!(target: FAILURE, "{panic}"),
            ));
        }
        Ok(()) => {}
        Err(err) => tracing::debug!(%err, "logging was already started"),
    }
}

/// The end of a command: its exit code, and why it failed.
pub fn exit_code(command: &str, result: anyhow::Result<ExitCode>) -> ExitCode {
    match result {
        Ok(code) => code,
        Err(error) => {
            complain(command, &error);
            ExitCode::FAILURE
        }
    }
}

/// Why something a command was asked for failed, in one line of the log's format, whatever `RUST_LOG` says.
pub fn complain(command: &str, error: &anyhow::Error) {
    if is_json() {
        tracing::error!(target: FAILURE, "{error:#}");
    } else {
        let line = format!("{command}: {error:#}\n");
        // Without stderr there is nobody to tell.
        let _ = OneLine(io::stderr()).write_all(line.as_bytes());
    }
}

/// Writes what comes in one call as one line. A message may quote what somebody else said, line ends included.
struct OneLine<W>(W);

impl<W: Write> Write for OneLine<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let line = event.strip_suffix(b"\n").unwrap_or(event);
        if !line.iter().any(|byte| matches!(byte, b'\n' | b'\r')) {
            self.0.write_all(event)?;
            return Ok(event.len());
        }
        let mut escaped = Vec::with_capacity(event.len() + 16);
        for &byte in line {
            match byte {
                b'\n' => escaped.extend(br"\n"),
                b'\r' => escaped.extend(br"\r"),
                byte => escaped.push(byte),
            }
        }
        escaped.push(b'\n');
        self.0.write_all(&escaped)?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line() {
        let mut written = Vec::new();
        let mut lines = OneLine(&mut written);
        lines.write_all(b"plain\n").unwrap();
        lines.write_all(b"two\r\nlines\n").unwrap();
        lines.write_all(b"no end").unwrap();
        assert_eq!(written, b"plain\ntwo\\r\\nlines\nno end");
    }
}
