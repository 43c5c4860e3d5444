//! What a test measured, for `cargo xtask bench`.

use serde_json::Value;

/// Writes figures to the file that `cargo xtask bench` names, if it does.
pub(crate) fn write(figures: &Value) {
    println!("{figures}");
    if let Some(path) = std::env::var_os("COINLAKE_BENCH_FIGURES") {
        std::fs::write(path, figures.to_string()).unwrap();
    }
}
