//! Files of docs/ that are made from the code.

use std::env;
use std::fs;

use crate::workspace::root;

/// Set by `cargo xtask docs`.
const UPDATE: &str = "COINLAKE_UPDATE_DOCS";

/// Asserts that the file at `path` holds `contents`, or writes it where `cargo xtask docs` runs.
pub(crate) fn assert_up_to_date(path: &str, contents: &str) {
    let file = root().join(path);
    if env::var_os(UPDATE).is_some() {
        let folder = file.parent().expect("a file is in a folder");
        fs::create_dir_all(folder).expect("the folder can be created");
        fs::write(file, contents).expect("the file can be written");
        return;
    }
    let written = fs::read_to_string(file).unwrap_or_default();
    assert!(
        written == contents,
        "{path} is stale: run `cargo xtask docs`"
    );
}
