//! The long forms of the tests of faults. `cargo xtask test` runs the short ones.

use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};

use crate::process::{QUICK_OPTION, cargo, run, workspace};
use crate::smartmodules;

/// Which faults, how often, and by which seed.
#[derive(Args)]
pub(crate) struct FaultsArgs {
    /// What goes wrong; without any, everything in turn
    kinds: Vec<Kind>,
    /// Draws the same again
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How often, in the kind's own measure [default: that of its long form]
    #[arg(long)]
    times: Option<u64>,
}

/// What can go wrong.
#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    /// kill -9 of the whole demo (times: kills)
    Demo,
    /// kill -9 of source, stages, broker, trainer and console, one at a time (times: kills)
    Processes,
    /// A network that is cut, falls silent, is slow and tears (times: runs)
    Network,
    /// An S3 server that answers 500 and 503, too late or not at all, behind such a network (times: runs)
    Store,
    /// A stage killed while it writes to S3, Azure, GCS and HDFS, and HDFS under it (times: kills in each)
    Stores,
    /// kill -9 of upkeep while a stage writes, on a clock on which a day takes a second (times: kills)
    Upkeep,
    /// A clock that jumps (times: runs)
    Clock,
    /// 50,000 coins, a new one every second (times: minutes of market)
    Coins,
    /// A month of `up` with a demo key, on a clock of its own
    Month,
    /// Days of `up` with its own upkeep, on a clock of its own (times: days)
    Days,
    /// kill -9 of `up` while it fills in the past, twice a run (times: runs)
    History,
    /// A CoinGecko that misbehaves (times: polls)
    Coingecko,
    /// Payloads with anything wrong in them, through every SmartModule (times: payloads)
    Mutants,
}

impl Kind {
    /// The test binary, and the test in it.
    fn test(self) -> (&'static str, &'static str) {
        match self {
            Self::Demo => ("coinlake", "faults::demo::"),
            Self::Processes => ("coinlake", "faults::processes::"),
            Self::Network => ("coinlake", "faults::network::"),
            Self::Store => ("stage", "stores::faulty::"),
            Self::Stores => ("stage", "stores::kills::"),
            Self::Upkeep => ("stage", "upkeep_killed::"),
            Self::Clock => ("coinlake", "faults::clock::"),
            Self::Coins => ("coinlake", "faults::coins::"),
            Self::Month => ("coinlake", "faults::month::"),
            Self::Days => ("coinlake", "faults::days::"),
            Self::History => ("coinlake", "faults::history::"),
            Self::Coingecko => ("source", "hour::"),
            Self::Mutants => ("modules", "mutants::"),
        }
    }
}

/// Runs the long forms.
pub(crate) fn faults(args: &FaultsArgs) -> Result<()> {
    let kinds = match args.kinds.is_empty() {
        true => Kind::value_variants(),
        false => &args.kinds,
    };
    if args.times.is_some() && kinds.len() != 1 {
        bail!("--times counts something else for each kind: name one");
    }
    build()?;
    for kind in kinds {
        let (binary, filter) = kind.test();
        let mut test = test(binary, filter);
        test.env("COINLAKE_FAULTS", "long")
            .env("COINLAKE_FAULTS_SEED", args.seed.to_string());
        if let Some(times) = args.times {
            test.env("COINLAKE_FAULTS_TIMES", times.to_string());
        }
        run(&mut test)?;
    }
    Ok(())
}

/// `cargo xtask crash`: the kills among them.
pub(crate) fn crash(rounds: u32, seed: u64) -> Result<()> {
    for kind in [Kind::Demo, Kind::Processes] {
        faults(&FaultsArgs {
            kinds: vec![kind],
            seed,
            times: Some(rounds.into()),
        })?;
    }
    Ok(())
}

/// How long a soak takes.
#[derive(Args)]
pub(crate) struct SoakArgs {
    /// Hours of market
    #[arg(long, default_value_t = 24.0)]
    pub(crate) hours: f64,
    /// Market time per real time
    #[arg(long, default_value_t = 60.0)]
    pub(crate) speed: f64,
}

/// Runs the platform for that long and says what it uses.
pub(crate) fn soak(args: &SoakArgs) -> Result<()> {
    run(&mut soak_test(args)?)
}

/// The command that does.
pub(crate) fn soak_test(args: &SoakArgs) -> Result<Command> {
    let settings = [
        ("COINLAKE_SOAK_HOURS", args.hours.to_string()),
        ("COINLAKE_SOAK_SPEED", args.speed.to_string()),
    ];
    test_at_length("faults::soak::", &settings)
}

/// The command that runs a test of the finished command which takes as long as it is told to.
pub(crate) fn test_at_length(filter: &str, settings: &[(&str, String)]) -> Result<Command> {
    build()?;
    let mut test = test("coinlake", filter);
    test.arg("--ignored");
    for (name, value) in settings {
        test.env(name, value);
    }
    Ok(test)
}

/// What is fuzzed, and for how long.
#[derive(Args)]
pub(crate) struct FuzzArgs {
    /// Targets, as `cargo fuzz list` names them; without any, all
    targets: Vec<String>,
    /// Minutes for each
    #[arg(long, default_value_t = 10.0)]
    minutes: f64,
}

/// Runs libFuzzer on each target, from what is kept and what earlier runs came upon.
pub(crate) fn fuzz(args: &FuzzArgs) -> Result<()> {
    let fuzz = || {
        let mut fuzz = Command::new("cargo");
        fuzz.current_dir(workspace()).arg("fuzz");
        fuzz
    };
    let listed = fuzz().arg("list").output().context("cannot start cargo")?;
    if !listed.status.success() {
        bail!("cargo-fuzz is missing: install it with `cargo install cargo-fuzz`");
    }
    let all = String::from_utf8(listed.stdout)?;
    let targets = match args.targets.is_empty() {
        true => all.lines().collect(),
        false => args.targets.iter().map(String::as_str).collect::<Vec<_>>(),
    };
    for target in targets {
        let found = format!("testing/fuzz/corpus/{target}");
        std::fs::create_dir_all(workspace().join(&found))?;
        // Without a sanitizer a stable compiler will do; the code under test is safe Rust.
        run(fuzz()
            .args(["run", "--sanitizer=none", target, &found])
            .arg(format!("testing/fuzz/kept/{target}"))
            .arg("--")
            .arg(format!("-max_total_time={:.0}", args.minutes * 60.0))
            .args(["-timeout=20", "-print_final_stats=1", "-verbosity=0"]))?;
    }
    Ok(())
}

/// SmartModules and every command: a test binary has only its own package's built with it.
fn build() -> Result<()> {
    smartmodules::build()?;
    cargo(&["build", QUICK_OPTION, "--workspace", "--bins"])
}

fn test(binary: &str, filter: &str) -> Command {
    let mut test = Command::new("cargo");
    test.current_dir(workspace())
        .args(["test", QUICK_OPTION, "--workspace", "--test", binary])
        .args(["--", "--nocapture", filter]);
    test
}
