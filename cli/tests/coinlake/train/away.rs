//! A training that is interrupted, or whose server goes away in its midst.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fixtures::mlflow;
use fixtures::process::signal;
use serde_json::Value;

use super::{Place, lake};

#[test]
fn a_schedule_trains_until_it_is_interrupted() {
    let place = Place::here();
    let lake = lake();
    let mut schedule = place
        .command(&["train", "run", "--every", "1ms", "--json"])
        .arg("--lake")
        .arg(lake)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut reports = BufReader::new(schedule.stdout.take().unwrap()).lines();
    for version in 1..=2 {
        let report: Value = serde_json::from_str(&reports.next().unwrap().unwrap()).unwrap();
        assert_eq!(report["models"][0]["version"], version, "{report}");
    }
    // Another training has begun by now, or is about to.
    signal(&schedule, "INT");
    let ended = schedule.wait_with_output().unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert!(ended.status.success(), "{said}");

    let runs = place.json(&["list"])["runs"].clone();
    let status = |run: &Value| run["status"].as_str().unwrap().to_owned();
    let statuses: Vec<String> = runs.as_array().unwrap().iter().map(status).collect();
    println!("{statuses:?}: {said}");
    let killed = statuses.iter().filter(|status| *status == "killed").count();
    assert_eq!(
        killed,
        said.matches("is marked as killed").count(),
        "{said}"
    );
    assert!(killed <= 1 && statuses[killed..].iter().all(|status| status == "finished"));
    assert!(statuses.len() - killed >= 2);
}

#[test]
fn a_server_that_goes_away_takes_no_training_with_it() {
    // Its models would be a version each in the other tests' registry.
    let Some(server) = mlflow::own_server() else {
        return;
    };
    let way = cut_when_a_run_has_begun(server.addr());
    let place = Place::with_server(way);
    let lake = lake();
    let output = place.output(&[
        "run",
        "--experiment",
        "cut off",
        "--lake",
        lake.to_str().unwrap(),
    ]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    println!("{said}");
    assert!(said.contains("no MLflow server answers at"), "{said}");
    let words = said.split_once("`coinlake train publish ").unwrap().1;
    let run = words.split_once(' ').unwrap().0;

    // The command that it named.
    let there = Place {
        mlflow: Some(server.uri()),
        ..place
    };
    let published = there.text(&["publish", run]);
    assert!(published.contains("as run"), "{published}");
    let runs = there.json(&["list", "--experiment", "cut off"])["runs"].clone();
    let finished = |run: &&Value| run["status"] == "finished";
    assert_eq!(
        runs.as_array().unwrap().iter().filter(finished).count(),
        1,
        "{runs}"
    );
}

/// The address of a way to the server that is closed to all that comes after a run was made through it.
fn cut_when_a_run_has_begun(server: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let server = server.to_owned();
    let made = Arc::new(AtomicBool::new(false));
    std::thread::spawn(move || {
        while let Ok((client, _)) = listener.accept() {
            if made.load(Ordering::SeqCst) {
                return;
            }
            let (server, made) = (TcpStream::connect(&server).unwrap(), made.clone());
            std::thread::spawn(move || pass_on(client, server, &made));
        }
    });
    address
}

/// Requests there and answers back; the first request after one that makes a run ends it.
fn pass_on(mut client: TcpStream, mut server: TcpStream, made: &AtomicBool) {
    let makes = AtomicBool::new(false);
    let (mut answers, mut to_client) = (server.try_clone().unwrap(), client.try_clone().unwrap());
    let mut buffer = [0; 64 * 1024];
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut buffer = [0; 64 * 1024];
            while let Ok(read @ 1..) = answers.read(&mut buffer) {
                if to_client.write_all(&buffer[..read]).is_err() {
                    break;
                }
                made.fetch_or(makes.load(Ordering::SeqCst), Ordering::SeqCst);
            }
            let _ = to_client.shutdown(Shutdown::Both);
        });
        while let Ok(read @ 1..) = client.read(&mut buffer) {
            if made.load(Ordering::SeqCst) {
                break;
            }
            let mut words = buffer[..read].windows(11);
            makes.fetch_or(words.any(|word| word == b"runs/create"), Ordering::SeqCst);
            if server.write_all(&buffer[..read]).is_err() {
                break;
            }
        }
        let _ = server.shutdown(Shutdown::Both);
    });
}
