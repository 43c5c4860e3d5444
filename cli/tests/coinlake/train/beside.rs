//! Trainings beside the platform.

use std::fs;
use std::process::{Command, Stdio};

use fixtures::process::{Process, program};
use replay::{Market, Position, ReplayServer, Speed, SyntheticMarket};

/// In our image there is no other command, and an upgrade replaces the file of the running one.
#[tokio::test]
async fn a_training_needs_no_other_command_and_not_the_file_of_this_one() {
    let market = Market::Synthetic(SyntheticMarket::new(2, 3_000));
    let replay = ReplayServer::start(market, Speed::Max, Position::start());
    let replay = replay.await.unwrap();
    let shipped = program("coinlake");
    let beside = std::path::Path::new(shipped.get_program())
        .parent()
        .unwrap();
    let folder = tempfile::tempdir_in(beside).unwrap();
    let coinlake = folder.path().join("coinlake");
    fs::hard_link(shipped.get_program(), &coinlake).unwrap();
    let settings = format!(
        "coingecko: {{base_url: {}, poll_interval: 20ms}}\nbroker: {{listen: 0}}\nconsole: 0\ntrain: {{every: 1s}}\n",
        replay.base_url()
    );
    fs::write(folder.path().join("coinlake.yaml"), settings).unwrap();
    let mut command = Command::new(&coinlake);
    command.arg("up").env("PATH", "").env_remove("RUST_LOG");
    command.current_dir(folder.path()).stdin(Stdio::null());
    let up = Process::start(command);
    up.word_after("broker at ");
    fs::remove_file(&coinlake).unwrap();
    let trainings = |up: &Process| {
        let mut lines = up.lines();
        lines.retain(|line| line.contains("training"));
        lines
    };
    let before = trainings(&up).len();
    // One may have begun before the file was gone. A market so short is too little to learn from.
    let lines = up.wait_for("trainings", |up| {
        Some(trainings(up)).filter(|lines| lines.len() >= before + 2)
    });
    println!("{lines:#?}");
    assert!(
        !lines.iter().any(|line| line.contains("cannot be started")),
        "{lines:#?}"
    );
    up.interrupt();
}
