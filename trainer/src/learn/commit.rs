//! The commit this program was built from.

use std::path::Path;
use std::process::Command;

/// Names the commit where there is no checkout: the build of an image sets it.
const VARIABLE: &str = "COINLAKE_GIT_COMMIT";

/// The commit in the environment, else the head of the checkout that this program was built in, if it still is there.
pub(crate) fn known() -> Option<String> {
    if let Ok(commit) = std::env::var(VARIABLE)
        && !commit.is_empty()
    {
        return Some(commit);
    }
    let program = std::env::current_exe().ok()?;
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?;
    if !program.starts_with(checkout) {
        return None;
    }
    let output = Command::new("git")
        .arg("-C")
        .arg(checkout)
        .args(["rev-parse", "HEAD"])
        .output()
        .ok()?;
    let commit = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !commit.is_empty()).then_some(commit)
}
