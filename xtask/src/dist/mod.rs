//! `cargo xtask dist`: what a release page carries, in target/dist.
//!
//! - `archive` packs files so that the same files make the same bytes.
//! - `hub` packs SmartModules and connectors as Fluvio's Hub does.
//! - `crates` knows every crate that is compiled into the commands; `licences` and `sbom` list them.

mod archive;
mod crates;
mod hub;
mod licences;
mod sbom;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use clap::Args;

use crate::process::{cargo, output, run, target_dir, workspace};
use crate::smartmodules;
use crates::Crates;

/// The commands that people install.
const COMMANDS: [&str; 3] = ["coinlake", "coingecko-source", "parquet-sink"];
const VERSION: &str = env!("CARGO_PKG_VERSION");

#[derive(Args)]
pub(crate) struct DistArgs {
    /// Where the commands run, such as aarch64-unknown-linux-gnu; default: this machine. Give it again for another
    #[arg(long)]
    target: Vec<String>,
    /// The cargo profile of the commands
    #[arg(long, default_value = "release")]
    profile: String,
    /// The folder to fill, which is emptied first; default: target/dist
    #[arg(long)]
    out: Option<PathBuf>,
}

/// Makes everything anew.
pub(crate) fn dist(args: &DistArgs) -> Result<()> {
    let folder = args
        .out
        .clone()
        .unwrap_or_else(|| target_dir().join("dist"));
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    smartmodules::build()?;
    // Pages and completions are those of the commands on any machine.
    let own = build(&args.profile, None)?;
    let host = host()?;
    let mut targets = args.target.clone();
    if targets.is_empty() {
        targets.push(host.clone());
    }
    for target in &targets {
        let commands = if *target == host {
            own.clone()
        } else {
            build(&args.profile, Some(target))?
        };
        release(&folder, target, &commands, &own.join("coinlake"))?;
        hub::pack_connectors(&folder, target, &commands)?;
    }
    hub::pack_smartmodules(&folder)?;
    archive::write_checksums(&folder)?;
    for (file, bytes) in archive::files(&folder)? {
        eprintln!(
            "{}: {} KB",
            folder.join(file).display(),
            bytes.div_ceil(1000)
        );
    }
    Ok(())
}

/// Builds the commands; returns the folder that they are in.
fn build(profile: &str, target: Option<&String>) -> Result<PathBuf> {
    let mut line = vec!["build", "--locked", "--profile", profile];
    for command in COMMANDS {
        line.extend(["--package", command]);
    }
    let mut folder = target_dir();
    if let Some(target) = target {
        line.extend(["--target", target]);
        folder.push(target);
    }
    cargo(&line)?;
    Ok(folder.join(profile))
}

/// The archive for one target, and the list of its parts.
fn release(folder: &Path, target: &str, commands: &Path, coinlake: &Path) -> Result<()> {
    let name = format!("coinlake-{VERSION}-{target}");
    let root = folder.join(&name);
    let (bin, man, shells) = (root.join("bin"), root.join("man"), root.join("completions"));
    for folder in [&bin, &man, &shells, &root.join("smartmodules")] {
        fs::create_dir_all(folder)?;
    }
    for command in COMMANDS {
        fs::copy(commands.join(command), bin.join(command))?;
    }
    for module in smartmodules::names()? {
        let file = format!("{module}.wasm");
        let built = target_dir().join("smartmodules").join(&file);
        fs::copy(built, root.join("smartmodules").join(file))?;
    }
    run(Command::new(coinlake).arg("man").arg(&man))?;
    for (shell, file) in [
        ("bash", "coinlake.bash"),
        ("fish", "coinlake.fish"),
        ("zsh", "_coinlake"),
    ] {
        let script = output(Command::new(coinlake).args(["completions", shell]))?;
        fs::write(shells.join(file), script)?;
    }
    for file in ["CHANGELOG.md", "LICENSE", "README.md"] {
        fs::copy(workspace().join(file), root.join(file))?;
    }
    let crates = Crates::of(target, &COMMANDS)?;
    fs::write(
        root.join("THIRD-PARTY-LICENSES.txt"),
        licences::text(&crates)?,
    )?;
    let bill = serde_json::to_vec_pretty(&sbom::bill(VERSION, &crates))?;
    fs::write(root.join("sbom.cdx.json"), &bill)?;
    // Beside the archive too: scanners and signatures want it alone.
    fs::write(folder.join(format!("{name}.cdx.json")), &bill)?;
    archive::pack_files(folder, &[&name], &folder.join(format!("{name}.tar.gz")))?;
    fs::remove_dir_all(&root)?;
    Ok(())
}

/// The target that rustc compiles for when it is told none.
fn host() -> Result<String> {
    let said = String::from_utf8(output(Command::new("rustc").arg("-vV"))?)?;
    let host = said.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc -vV names no host")?.to_owned())
}
