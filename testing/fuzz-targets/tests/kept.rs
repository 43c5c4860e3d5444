//! Every input that is kept under `fuzz/kept/<target>/` goes through its target: what was found once stays mended.

use std::fs;
use std::path::Path;

use fuzz_targets::TARGETS;

#[test]
fn what_was_found_stays_mended() {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/kept");
    let mut names: Vec<_> = fs::read_dir(&kept)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    for (name, target) in TARGETS {
        names.retain(|found| found != name);
        let mut inputs: Vec<_> = fs::read_dir(kept.join(name))
            .unwrap_or_else(|error| panic!("fuzz/kept/{name}: {error}"))
            .map(|entry| entry.unwrap().path())
            .collect();
        inputs.sort();
        assert!(!inputs.is_empty(), "{name} has no input to begin with");
        for input in &inputs {
            println!("{}", input.display());
            target(&fs::read(input).unwrap());
        }
        println!("{name}: {} inputs", inputs.len());
        // What every target meets first.
        target(b"");
    }
    assert!(names.is_empty(), "inputs of no target: {names:?}");
}
