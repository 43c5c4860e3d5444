//! Who imports whom among the crates.

use std::path::Path;

use crate::page;
use crate::workspace::{folder, packages, relative};

/// Each crate's folder, the folder of a crate it depends on, and whether only its tests do.
fn arrows() -> Vec<(String, String, bool)> {
    let mut arrows = Vec::new();
    for package in packages() {
        for dependency in package["dependencies"].as_array().expect("a list") {
            if let Some(path) = dependency["path"].as_str() {
                let in_tests = dependency["kind"] == "dev";
                arrows.push((folder(&package), relative(Path::new(path)), in_tests));
            }
        }
    }
    assert!(!arrows.is_empty(), "cargo metadata shows no dependencies");
    arrows
}

#[test]
fn crates_import_only_what_the_architecture_page_allows() {
    let allowed = page::folders();
    let wrong: Vec<_> = arrows()
        .into_iter()
        .filter(|(from, to, in_tests)| {
            !in_tests
                && !allowed
                    .get(from)
                    .is_some_and(|imports| imports.contains(to))
        })
        .map(|(from, to, _)| format!("{from} imports {to}"))
        .collect();
    assert!(
        wrong.is_empty(),
        "docs/architecture.md does not allow this: {wrong:#?}"
    );
}

#[test]
fn only_tests_and_xtask_import_testing() {
    let wrong: Vec<_> = arrows()
        .into_iter()
        .filter(|(from, to, in_tests)| {
            to.starts_with("testing/")
                && !in_tests
                && !from.starts_with("testing/")
                && from != "xtask"
        })
        .collect();
    assert!(wrong.is_empty(), "make these dev-dependencies: {wrong:#?}");
}
