//! The workspace: its folder, its crates and its files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// The folder of the workspace's Cargo.toml.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask is a folder of the workspace")
}

/// The packages as `cargo metadata` shows them.
pub(crate) fn packages() -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .current_dir(root())
        .args(["metadata", "--no-deps", "--offline", "--format-version=1"])
        .output()
        .expect("cargo starts");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let mut metadata: Value = serde_json::from_slice(&output.stdout).expect("metadata is JSON");
    match metadata["packages"].take() {
        Value::Array(packages) => packages,
        other => panic!("packages are no list: {other}"),
    }
}

/// A path below the workspace, relative to it, with slashes.
pub(crate) fn relative(path: &Path) -> String {
    let path = path.strip_prefix(root()).unwrap_or(path);
    path.to_string_lossy().replace('\\', "/")
}

/// The folder of a package, relative to the workspace.
pub(crate) fn folder(package: &Value) -> String {
    let manifest = Path::new(package["manifest_path"].as_str().expect("a path"));
    relative(manifest.parent().expect("a manifest has a folder"))
}

/// All files below `folder` with the extension, sorted; hidden and ignored folders are skipped.
pub(crate) fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder can be read") {
        let path = entry.expect("an entry can be read").path();
        if path.is_dir() {
            if !is_ignored(&path) {
                found.extend(files(&path, extension));
            }
        } else if path.extension().is_some_and(|it| it == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Whether a folder is hidden or named by .gitignore.
pub(crate) fn is_ignored(folder: &Path) -> bool {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let path = relative(folder);
    let ignore = fs::read_to_string(root().join(".gitignore")).expect(".gitignore can be read");
    name.starts_with('.')
        || ignore.lines().any(|line| match line.strip_prefix('/') {
            Some(anchored) => anchored.trim_end_matches('/') == path,
            None => line.trim_end_matches('/') == name,
        })
}
