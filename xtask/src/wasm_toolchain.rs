//! Finds a compiler for wasm32-unknown-unknown: the rustup target if it is installed or can be installed, else Debian's
//! packages, which build the standard library from source.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::process::run;

/// What SmartModules are compiled for.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// Since Rust 1.96 wasm does not link with undefined symbols. `copy_records`, which the broker provides, is one.
const LINK_FLAGS: &str = "-Clink-arg=--allow-undefined";

const DEBIAN_PACKAGES: [&str; 3] = ["rustc-web", "cargo-web", "rust-web-src"];

/// A way to build for [`TARGET`].
pub(crate) enum WasmToolchain {
    /// The toolchain in use has the target.
    Rustup,
    /// Debian's compiler builds the standard library. Its packages have no linker for wasm, so rustup's is used.
    Debian { linker: PathBuf },
}

impl WasmToolchain {
    /// The first toolchain that works here. Installs what is missing where it can.
    pub(crate) fn find() -> Result<Self> {
        if target_installed() {
            return Ok(Self::Rustup);
        }
        if !debian_installed() {
            eprintln!("adding the Rust target {TARGET} (rustup)");
            let added = Command::new("rustup")
                .args(["target", "add", TARGET])
                .stderr(Stdio::null())
                .status()
                .is_ok_and(|status| status.success());
            if added && target_installed() {
                return Ok(Self::Rustup);
            }
            install_debian()?;
        }
        Ok(Self::Debian { linker: linker()? })
    }

    /// `cargo build` for [`TARGET`]; the caller adds what to build.
    pub(crate) fn cargo_build(&self) -> Command {
        let mut cargo;
        match self {
            Self::Rustup => {
                cargo = Command::new("cargo");
                cargo.arg("build");
            }
            Self::Debian { linker } => {
                cargo = Command::new("/usr/bin/cargo");
                cargo
                    .args(["build", "-Zbuild-std=std,panic_abort"])
                    .env("RUSTC", "/usr/bin/rustc")
                    .env("RUSTC_BOOTSTRAP", "1")
                    .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
            }
        }
        cargo
            .args(["--target", TARGET])
            .env("RUSTFLAGS", LINK_FLAGS);
        cargo
    }
}

fn target_installed() -> bool {
    Command::new("rustc")
        .args(["--print", "target-libdir", "--target", TARGET])
        .output()
        .is_ok_and(|out| Path::new(String::from_utf8_lossy(&out.stdout).trim()).is_dir())
}

fn debian_installed() -> bool {
    Path::new("/usr/bin/cargo").exists()
        && Path::new("/usr/lib/rustlib/src/rust/library/std").exists()
}

fn install_debian() -> Result<()> {
    let by_hand = format!(
        "install the target with `rustup target add {TARGET}`, or on Debian run \
         `apt-get install {}` as root",
        DEBIAN_PACKAGES.join(" ")
    );
    let root =
        fs::metadata("/proc/self").is_ok_and(|m| std::os::unix::fs::MetadataExt::uid(&m) == 0);
    if !root || Command::new("apt-get").arg("--version").output().is_err() {
        bail!("no compiler for {TARGET}: {by_hand}");
    }
    eprintln!(
        "rustup cannot add {TARGET}; installing Debian's {}",
        DEBIAN_PACKAGES.join(", ")
    );
    run(Command::new("apt-get")
        .args(["update", "--quiet"])
        .stdout(Stdio::null()))?;
    run(Command::new("apt-get")
        .args(["install", "--yes", "--quiet", "--no-install-recommends"])
        .args(DEBIAN_PACKAGES)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdout(Stdio::null()))
    .with_context(|| by_hand.clone())?;
    if !debian_installed() {
        bail!("Debian's packages lack the source of the standard library: {by_hand}");
    }
    Ok(())
}

/// rust-lld of the toolchain in use.
fn linker() -> Result<PathBuf> {
    let out = Command::new("rustc")
        .args(["--print", "target-libdir"])
        .output()
        .context("cannot start rustc")?;
    let lib_dir = PathBuf::from(String::from_utf8_lossy(&out.stdout).trim());
    let linker = lib_dir.with_file_name("bin").join("rust-lld");
    if !linker.is_file() {
        bail!("{} is missing: install Rust with rustup", linker.display());
    }
    Ok(linker)
}
