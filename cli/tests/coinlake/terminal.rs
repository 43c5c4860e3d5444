//! What a person in a terminal meets: ports in use, folders, widths, colours, completions and manuals.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};

use connector_runtime::cluster::Cluster;
use connector_runtime::reader;
use fixtures::patience::eventually;
use fixtures::process::{Process, coinlake, refused, signal, succeeded};
use fluvio::metadata::topic::TopicSpec;
use replay::{Market, Position, ReplayServer, Speed, SyntheticMarket};
use serde_json::Value;

use crate::rows;

/// Every option that takes a port is named when that is in use.
#[test]
fn a_port_in_use_names_its_option() {
    let data = tempfile::tempdir().unwrap();
    let data = data.path().to_str().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for (option, arguments) in [
        ("--listen", &["demo", "--exit"][..]),
        ("--console", &["demo", "--exit", "--listen", "0"]),
        ("--metrics-listen", &["demo", "--exit", "--listen", "0"]),
        ("--listen", &["up"]),
        ("--console", &["up", "--listen", "0"]),
        (
            "--metrics-listen",
            &["up", "--listen", "0", "--console", "0"],
        ),
        ("--listen", &["console"]),
        ("--metrics-listen", &["console", "--listen", "0"]),
    ] {
        let mut command = coinlake(arguments);
        command.args([option, &port, "--data", data]);
        let said = refused(&command.output().unwrap());
        assert!(
            said.contains(option) && said.contains(&port),
            "{arguments:?} {option}: {said}"
        );
    }
}

/// `head` leaves when it has seen enough.
#[test]
fn a_reader_that_leaves_is_no_error() {
    let folder = tempfile::tempdir().unwrap();
    let within = |arguments: &[&str]| {
        let mut command = coinlake(arguments);
        command.current_dir(folder.path());
        command
    };
    succeeded(&within(&["init"]).output().unwrap());
    let left = |arguments: &[&str]| {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        within(arguments).stdout(writer).output().unwrap()
    };
    succeeded(&left(&["check"]));
    succeeded(&left(&["init", "--service"]));
    for format in [
        &["health"][..],
        &["health", "--json"],
        &["health", "--watch"],
    ] {
        let said = left(format).stderr;
        assert_eq!(
            String::from_utf8_lossy(&said),
            "",
            "nothing runs, and that is all"
        );
    }
}

#[test]
fn a_paid_plan_without_its_key_is_named_by_what_sets_it() {
    let folder = tempfile::tempdir().unwrap();
    let check = |arguments: &[&str], variables: &[(&str, &str)]| {
        let mut command = coinlake(arguments);
        command.current_dir(folder.path());
        command.envs(variables.iter().copied()).output().unwrap()
    };
    let plan = ("COINGECKO_PLAN", "pro");
    for (arguments, variables, expected) in [
        (
            &["check", "--plan", "pro"][..],
            &[][..],
            "--plan is pro, but there is no key",
        ),
        (
            &["check"],
            &[plan],
            "COINGECKO_PLAN is pro, but there is no key",
        ),
    ] {
        let said = refused(&check(arguments, variables));
        assert!(said.contains(expected), "{said}");
    }
    succeeded(&check(&["check", "--plan", "demo"], &[plan]));
    succeeded(&check(&["check"], &[plan, ("COINGECKO_API_KEY", "k")]));
}

#[test]
fn a_line_of_the_secrets_file_that_names_no_variable_is_refused_and_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secrets.env");
    for line in [
        "export COINGECKO_API_KEY=hunter2",
        "\u{feff}COINGECKO_API_KEY=hunter2",
        "=hunter2",
        "COINGECKO_API_KEY=hunter2\0",
    ] {
        fs::write(&file, format!("# mine\n{line}\n")).unwrap();
        let mut command = coinlake(&["check", "--secrets"]);
        command.arg(&file).current_dir(folder.path());
        let said = refused(&command.output().unwrap());
        assert!(said.contains("line 2 of the secrets file"), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
}

/// `up 2>&1 | tee` loses its reader with Ctrl-C, a disk fills up: a log that cannot be written prevents no commit.
#[tokio::test]
async fn a_stderr_that_cannot_be_written_is_no_error() {
    let (reader, left) = std::io::pipe().unwrap();
    drop(reader);
    let full = || fs::File::options().write(true).open("/dev/full").unwrap();
    for (stderr, format) in [
        (Stdio::from(left), "text"),
        (full().into(), "text"),
        (full().into(), "json"),
    ] {
        let data = tempfile::tempdir().unwrap();
        let mut command = coinlake(&["demo", "--speed", "60", "--listen", "0", "--console", "0"]);
        command
            .args(["--log-format", format, "--data"])
            .arg(data.path());
        let demo = command.stderr(stderr).spawn().unwrap();
        let note = data.path().join("coinlake.json");
        let broker = async || {
            let note: Value = serde_json::from_slice(&fs::read(&note).ok()?).unwrap();
            Some(note["broker"].as_str()?.to_owned())
        };
        eventually("a broker", async || broker().await.is_some()).await;
        let client = Cluster::at(broker().await.unwrap());
        let client = client.connect().await.unwrap();
        eventually("something to commit", async || {
            let clean = reader::offsets(&client, "crypto-clean", 0).await;
            clean.is_ok_and(|clean| clean.end > 0)
        })
        .await;
        signal(&demo, "INT");
        let ended = demo.wait_with_output().unwrap();
        assert_eq!(ended.status.code(), Some(0));
        assert!(!rows::layer_rows(data.path(), "raw").is_empty());
    }
}

/// The platform that started last in a folder is the one that is looked at there.
#[test]
fn health_looks_at_what_ran_last_in_this_folder() {
    let folder = tempfile::tempdir().unwrap();
    let mut seconds = 1;
    let mut ran = |data: &str, port: u16| {
        let data = folder.path().join(data);
        fs::create_dir_all(data.join("lake")).unwrap();
        let note = format!(
            r#"{{"layout": 1, "market": "the synthetic market", "broker": "127.0.0.1:{port}"}}"#
        );
        let file = data.join("coinlake.json");
        fs::write(&file, note).unwrap();
        seconds += 1;
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
        fs::File::options()
            .write(true)
            .open(file)
            .unwrap()
            .set_modified(time)
            .unwrap();
    };
    let looks_at = |port: u16| {
        let output = coinlake(&["health"])
            .current_dir(folder.path())
            .output()
            .unwrap();
        let screen = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(screen.contains(&format!("127.0.0.1:{port}")), "{screen}");
        assert!(screen.ends_with("Not healthy\n"), "{screen}");
    };
    ran("coinlake-data", 1);
    looks_at(1);
    ran("coinlake-demo", 2);
    looks_at(2);
    ran("coinlake-data", 1);
    looks_at(1);
}

/// The first Ctrl-C says what is being finished, and that a second one ends it; so it does, though what is being finished never is.
#[tokio::test]
async fn a_second_ctrl_c_ends_at_once() {
    let data = tempfile::tempdir().unwrap();
    let mut command = coinlake(&["demo", "--speed", "60", "--listen", "0", "--console", "0"]);
    command.arg("--data").arg(data.path());
    let demo = Process::start(command);
    let broker = Cluster::at(demo.word_after("broker at "));
    let client = broker.connect().await.unwrap();
    eventually("something to commit", async || {
        reader::offsets(&client, "crypto-raw", 0).await.unwrap().end > 0
    })
    .await;
    // The next commit of the table waits for a pipe that nobody writes into.
    let log = data.path().join("lake/raw/_delta_log");
    eventually("a pipe in place of the next entry", async || {
        let Ok(entries) = fs::read_dir(&log) else {
            return false;
        };
        let next = log.join(format!("{:020}.json", entries.count()));
        let mkfifo = Command::new("mkfifo").arg(next).status();
        mkfifo.unwrap().success()
    })
    .await;

    demo.send("INT");
    demo.line_after("stopping: what has been read is being committed; Ctrl-C again ends at once");
    demo.send("INT");
    demo.line_after("second signal: ending at once");
    let lines = demo.lines();
    assert_eq!(demo.wait().code(), Some(130), "{lines:#?}");
    assert!(
        !lines.iter().any(|line| line.contains("stopped;")),
        "{lines:#?}"
    );
}

/// No signal has come, so Ctrl-C does not end it the first time.
#[tokio::test]
async fn a_failure_is_no_signal() {
    let market = Market::Synthetic(SyntheticMarket::new(2, 3_000));
    let replay = ReplayServer::start(market, Speed::Max, Position::start());
    let replay = replay.await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let settings = format!(
        "coingecko:\n  base_url: {}\n  poll_interval: 20ms\nbroker:\n  listen: 0\nconsole: 0\n",
        replay.base_url()
    );
    fs::write(folder.path().join("coinlake.yaml"), settings).unwrap();
    let mut command = coinlake(&["up"]);
    command.current_dir(folder.path());
    let up = Process::start(command);
    let broker = Cluster::at(up.word_after("broker at "));
    let client = broker.connect().await.unwrap();
    eventually("something in crypto-raw", async || {
        reader::offsets(&client, "crypto-raw", 0).await.unwrap().end > 0
    })
    .await;
    // Its broker may be gone before the reply.
    let _ = client.admin().await.delete::<TopicSpec>("crypto-raw").await;
    up.line_after("stopping after a failure: what has been read is being committed");
    assert_eq!(up.wait().code(), Some(1));
}

/// What a terminal of this width gets; `None` where there is no `script` to make one.
fn in_terminal(command: &Command, columns: u32, no_color: bool) -> Option<String> {
    let mut line = format!(
        "stty cols {columns} rows 50; exec '{}'",
        command.get_program().display()
    );
    for argument in command.get_args() {
        line += &format!(" '{}'", argument.display());
    }
    let mut script = Command::new("script");
    script.args(["-qec", &line, "/dev/null"]);
    script.env("TERM", "xterm-256color").stdin(Stdio::null());
    script.env_remove("NO_COLOR");
    if no_color {
        script.env("NO_COLOR", "1");
    }
    match script.output() {
        Ok(output) => Some(String::from_utf8_lossy(&output.stdout).replace('\r', "")),
        Err(error) => {
            println!("skipped: no script ({error}); Debian has it in the package bsdutils");
            None
        }
    }
}

/// Colours in a terminal alone, none with `NO_COLOR` and none in a pipe; at 40 columns no table is wider.
pub(crate) fn fits_a_terminal(command: &Command) {
    let escape = '\u{1b}';
    let Some(wide) = in_terminal(command, 120, false) else {
        return;
    };
    assert!(wide.contains(escape), "{wide}");
    let narrow = in_terminal(command, 40, true).unwrap();
    println!("{narrow}");
    assert!(!narrow.contains(escape), "{narrow}");
    for line in narrow
        .lines()
        .filter(|line| !line.starts_with("note ") && !line.starts_with("warning "))
    {
        assert!(line.chars().count() <= 40, "{line}");
    }
}

#[test]
fn a_shell_completes_and_manuals_are_written() {
    for (shell, word) in [
        ("bash", "complete -F _coinlake"),
        ("zsh", "#compdef coinlake"),
        ("fish", "complete -c coinlake"),
    ] {
        let script = succeeded(&coinlake(&["completions", shell]).output().unwrap());
        assert!(
            script.contains(word) && script.contains("promote"),
            "{shell}"
        );
    }
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("man1");
    succeeded(
        &coinlake(&["man", pages.to_str().unwrap()])
            .output()
            .unwrap(),
    );
    let page = |name: &str| fs::read_to_string(Path::new(&pages).join(name)).unwrap();
    assert!(page("coinlake.1").contains("coinlake\\-up(1)"));
    assert!(page("coinlake-up.1").contains("\\-\\-console"));
}
