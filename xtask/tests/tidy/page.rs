//! The table of folders in docs/architecture.md.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use crate::workspace::root;

/// Each folder with the folders that its crate may import.
pub(crate) fn folders() -> BTreeMap<String, BTreeSet<String>> {
    let page = fs::read_to_string(root().join("docs/architecture.md")).expect("the page exists");
    page.lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .map(|row| {
            let (folder, rest) = row.split_once('`').expect("a folder ends with a backtick");
            let imports = rest.split('|').nth(2).expect("a row has a third column");
            // What stands between backticks.
            let imports = imports.split('`').skip(1).step_by(2).map(str::to_owned);
            (folder.to_owned(), imports.collect())
        })
        .collect()
}
