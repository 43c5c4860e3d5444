//! `cargo xtask dist` makes archives that hold what they say.

#![allow(clippy::unwrap_used)] // a panic is how a test fails, in its helpers too

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What a command prints; it must succeed.
fn said(command: &mut Command) -> String {
    let done = command.output().unwrap();
    let errors = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{command:?}: {errors}");
    String::from_utf8(done.stdout).unwrap()
}

fn unpack(archive: &Path, into: &Path) {
    fs::create_dir_all(into).unwrap();
    let mut tar = Command::new("tar");
    said(tar.arg("-xf").arg(archive).arg("-C").arg(into));
}

fn names(folder: &Path) -> BTreeSet<String> {
    let files = fs::read_dir(folder).unwrap();
    files
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect()
}

#[test]
fn a_release_holds_what_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let (out, unpacked) = (folder.path().join("dist"), folder.path().join("unpacked"));
    let mut xtask = Command::new(env!("CARGO_BIN_EXE_xtask"));
    // With what the tests were built with, which takes no time.
    said(xtask.args(["dist", "--profile=quick", "--out"]).arg(&out));

    // The checksums are of all files, and right.
    let sums = fs::read_to_string(out.join("SHA256SUMS")).unwrap();
    let mut listed: BTreeSet<_> = sums
        .lines()
        .map(|line| line.split_once("  ").unwrap().1.to_owned())
        .collect();
    listed.insert("SHA256SUMS".to_owned());
    assert_eq!(listed, names(&out));
    let mut check = Command::new("sha256sum");
    said(check.args(["--check", "SHA256SUMS"]).current_dir(&out));

    let archive = listed
        .iter()
        .find(|name| name.ends_with(".tar.gz"))
        .unwrap();
    unpack(&out.join(archive), &unpacked);
    let root = unpacked.join(archive.strip_suffix(".tar.gz").unwrap());
    for (below, some) in [
        (
            "",
            &[
                "CHANGELOG.md",
                "LICENSE",
                "README.md",
                "THIRD-PARTY-LICENSES.txt",
                "sbom.cdx.json",
            ][..],
        ),
        ("bin", &["coingecko-source", "coinlake", "parquet-sink"]),
        (
            "smartmodules",
            &[
                "crypto-anomaly.wasm",
                "crypto-clean.wasm",
                "crypto-features.wasm",
                "crypto-predict.wasm",
            ],
        ),
        (
            "completions",
            &["_coinlake", "coinlake.bash", "coinlake.fish"],
        ),
        (
            "man",
            &["coinlake.1", "coinlake-up.1", "coinlake-lake-upkeep.1"],
        ),
    ] {
        let there = names(&root.join(below));
        for name in some {
            assert!(
                there.contains(*name),
                "{below}/{name} is missing: {there:?}"
            );
            assert!(
                fs::metadata(root.join(below).join(name)).unwrap().len() > 100,
                "{name}"
            );
        }
    }
    // It runs where it lies, and finds its SmartModules: what it misses is a cluster.
    let coinlake = root.join("bin/coinlake");
    let version = said(Command::new(&coinlake).arg("--version"));
    assert!(version.contains(VERSION), "{version}");
    let mut deploy = Command::new(&coinlake);
    let deploy = deploy.args(["deploy", "--yes", "--cluster=127.0.0.1:1"]);
    let deploy = deploy.output().unwrap();
    let errors = String::from_utf8_lossy(&deploy.stderr);
    assert!(
        errors.contains("no Fluvio cluster at 127.0.0.1:1"),
        "{errors}"
    );

    lists_are_complete(&root);
    packages_are_those_of_the_hub(&out, &root, &unpacked, &listed);
}

#[test]
fn the_workflow_puts_what_both_machines_made_into_one_folder() {
    let workflow = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../.github/workflows/release.yml"
    );
    let workflow: Value = serde_saphyr::from_str(&fs::read_to_string(workflow).unwrap()).unwrap();
    let steps = workflow["jobs"]["publish"]["steps"].as_array().unwrap();
    let step = steps
        .iter()
        .find(|step| step["name"] == "One folder, one list of checksums");
    let script = step.unwrap()["run"].as_str().unwrap();

    let folder = tempfile::tempdir().unwrap();
    for (part, own) in [
        ("dist-amd64", "x86-64.tar.gz"),
        ("dist-arm64", "arm.tar.gz"),
    ] {
        let part = folder.path().join("parts").join(part);
        fs::create_dir_all(&part).unwrap();
        for name in [own, "crypto-clean.ipkg", "SHA256SUMS"] {
            fs::write(part.join(name), name).unwrap();
        }
    }
    let mut bash = Command::new("bash");
    said(bash.args(["-e", "-c", script]).current_dir(folder.path()));
    let dist = folder.path().join("dist");
    let all = [
        "SHA256SUMS",
        "arm.tar.gz",
        "crypto-clean.ipkg",
        "x86-64.tar.gz",
    ];
    assert_eq!(names(&dist), all.map(str::to_owned).into());
    let mut check = Command::new("sha256sum");
    let checked = said(check.args(["--check", "SHA256SUMS"]).current_dir(&dist));
    assert_eq!(checked.lines().count(), 3, "{checked}");
}

/// Every crate in the commands has its licence and its place among the parts, and no crate that only tests use.
fn lists_are_complete(root: &Path) {
    let bill = fs::read(root.join("sbom.cdx.json")).unwrap();
    let bill: Value = serde_json::from_slice(&bill).unwrap();
    let licences = fs::read_to_string(root.join("THIRD-PARTY-LICENSES.txt")).unwrap();
    let parts = bill["components"].as_array().unwrap();
    let text = |part: &Value, key: &str| part[key].as_str().unwrap().to_owned();
    let refs: BTreeSet<_> = parts.iter().map(|part| text(part, "bom-ref")).collect();
    let names: BTreeSet<_> = parts.iter().map(|part| text(part, "name")).collect();
    for name in ["coinlake", "market", "fluvio", "parquet", "wasmtime"] {
        assert!(names.contains(name), "{name} is no part");
    }
    for name in ["proptest", "fantoccini", "xtask"] {
        assert!(!names.contains(name), "{name} is a part");
    }
    for needed in bill["dependencies"].as_array().unwrap() {
        for on in needed["dependsOn"].as_array().unwrap() {
            assert!(refs.contains(on.as_str().unwrap()), "{on} is no part");
        }
    }
    for part in parts {
        assert!(part["licenses"][0]["expression"].is_string(), "{part}");
        // One of this workspace is no crate of the registry.
        if part["purl"].is_string() {
            let line = format!("\n{} {}: ", text(part, "name"), text(part, "version"));
            assert!(licences.contains(&line), "{part} has no licence");
        }
    }
}

fn packages_are_those_of_the_hub(
    out: &Path,
    root: &Path,
    unpacked: &Path,
    listed: &BTreeSet<String>,
) {
    let packages: Vec<_> = listed
        .iter()
        .filter(|name| name.ends_with(".ipkg"))
        .collect();
    assert_eq!(packages.len(), 6, "{listed:?}");
    for package in packages {
        let parts = unpacked.join(package.as_str());
        unpack(&out.join(package), &parts);
        assert_eq!(
            names(&parts),
            ["manifest.tar.gz", "package-meta.yaml"]
                .map(str::to_owned)
                .into()
        );
        let meta = fs::read_to_string(parts.join("package-meta.yaml")).unwrap();
        let meta: Value = serde_saphyr::from_str(&meta).unwrap();
        let name = meta["name"].as_str().unwrap();
        assert!(
            package.starts_with(&format!("coinlake-{name}-{VERSION}")),
            "{package}"
        );
        let files = parts.join("files");
        unpack(&parts.join("manifest.tar.gz"), &files);
        let manifest = meta["manifest"].as_array().unwrap().iter();
        let manifest: BTreeSet<_> = manifest
            .map(|file| file.as_str().unwrap().to_owned())
            .collect();
        assert_eq!(manifest, names(&files));
        let (kind, file) = if files.join("Connector.toml").exists() {
            ("bin", name.to_owned())
        } else {
            ("smartmodules", format!("{name}.wasm"))
        };
        let packed = fs::read(files.join(&file)).unwrap();
        assert!(
            packed == fs::read(root.join(kind).join(&file)).unwrap(),
            "{file} differs"
        );
    }
}
