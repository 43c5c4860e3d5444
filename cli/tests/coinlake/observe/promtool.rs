//! Prometheus' own tool, from Debian's package `prometheus`. `COINLAKE_PROMTOOL` names it and makes it required.

use std::io::Write;
use std::process::{Command, Stdio};

/// promtool with these arguments and this input; `None`, which is said, where there is no promtool.
#[must_use]
pub(super) fn promtool(arguments: &[&str], input: &str) -> Option<()> {
    let required = std::env::var("COINLAKE_PROMTOOL").ok();
    let tool = required.as_deref().unwrap_or("promtool");
    let started = Command::new(tool)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = match started {
        Ok(child) => child,
        Err(error) => {
            assert!(required.is_none(), "{tool} cannot be started: {error}");
            println!("skipped promtool {}: {error}", arguments.join(" "));
            return None;
        }
    };
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "promtool {}: {}{}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Some(())
}
