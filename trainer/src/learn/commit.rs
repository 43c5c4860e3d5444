//! Which commit this program was built from, as far as it can be known.

use std::path::Path;
use std::process::Command;

/// Says so where there is no checkout: an image's build sets it.
const VARIABLE: &str = "COINLAKE_GIT_COMMIT";

/// The commit: what the environment says, else that of the checkout this program was built in and still lies in.
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
