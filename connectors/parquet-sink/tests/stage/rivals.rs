//! Two copies of one stage: one of them stops, and no row lands twice.

use std::ops::ControlFlow;
use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::sync::mpsc;

use parquet_sink::StageConfig;
use parquet_sink::failpoints::{Failpoint, Failpoints};
use tokio::sync::oneshot;

use crate::support::*;

/// How often a copy starts: one in a few meets the moment.
const STARTS: usize = 20;

fn small_files(mut config: StageConfig) -> StageConfig {
    config.settings.limits.rows_max = 70;
    config
}

/// Sleeps when a stage first reaches the point. Returns what tells that it does, and what wakes it.
fn sleep_at(point: Failpoint) -> (Failpoints, oneshot::Receiver<()>, mpsc::Sender<()>) {
    let (wake, sleep) = mpsc::channel::<()>();
    let (asleep, is_asleep) = oneshot::channel();
    let once = Mutex::new(Some((asleep, sleep)));
    let failpoints = Failpoints::new(move |reached| {
        if reached == point {
            let first = once.lock().unwrap().take();
            if let Some((asleep, sleep)) = first {
                asleep.send(()).unwrap();
                let _ = sleep.recv();
            }
        }
        ControlFlow::Continue(())
    });
    (failpoints, is_asleep, wake)
}

fn assert_another_copy(ended: anyhow::Result<()>) {
    let error = ended.unwrap_err().to_string();
    assert!(
        error.contains("another copy of this stage is running"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_two_copies_stops() {
    let platform = Platform::start().await;
    platform.module("crypto-clean", "crypto-clean", b"").await;
    platform.topic("crypto-raw", 1).await;
    platform.produce("crypto-raw", 0, &market(160)).await;
    platform
        .run_to_end(small_files(platform.config("golden", CLEAN)))
        .await;
    let golden = platform.landed("golden", &CLEAN_MADE).await;
    // The first copy sleeps within its first commit; the second does all the work meanwhile.
    for (trial, point) in [
        ("files", Failpoint::FilePut(1)),
        ("side", Failpoint::SideEntry(0)),
    ] {
        let (failpoints, is_asleep, wake) = sleep_at(point);
        let config = || small_files(platform.config(trial, CLEAN));
        let first = platform.start_stage_with(config(), failpoints);
        is_asleep.await.unwrap();
        platform.run_to_end(config()).await;
        wake.send(()).unwrap();
        assert_another_copy(first.ends().await);
        assert_same(&platform.landed(trial, &CLEAN_MADE).await, &golden, trial);
    }
}

/// The other copy's entries become known by those of another partition, which the two copies do not share.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_copy_is_noticed_though_another_partition_read_its_entries() {
    let platform = Platform::start().await;
    platform.module("crypto-clean", "crypto-clean", b"").await;
    platform.topic("crypto-raw", 2).await;
    platform.produce("crypto-raw", 0, &market(60)).await;
    let made = Made {
        partitions: 2,
        ..CLEAN_MADE
    };
    let config = |trial| small_files(platform.config(trial, CLEAN));
    let (failpoints, is_asleep, wake) = sleep_at(Failpoint::FilePut(1));
    let first = platform.start_stage_with(config("both"), failpoints);
    is_asleep.await.unwrap();
    platform.run_to_end(config("both")).await;
    // The first copy's other partition commits behind the entries of the second copy.
    platform.produce("crypto-raw", 1, &market(60)).await;
    eventually("the other partition commits", || async {
        let stamps = platform.stamps("both", "clean");
        stamps.iter().any(|stamp| stamp.app.partition == 1)
    })
    .await;
    wake.send(()).unwrap();
    assert_another_copy(first.ends().await);
    platform.run_to_end(config("both")).await;
    platform.run_to_end(config("golden")).await;
    let golden = platform.landed("golden", &made).await;
    assert_same(&platform.landed("both", &made).await, &golden, "both");
}

/// What a live copy appends while another one starts is made from inputs that there are.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_copy_that_starts_beside_a_live_one_does_not_call_its_outputs_foreign() {
    let platform = Platform::start().await;
    platform.module("crypto-clean", "crypto-clean", b"").await;
    platform.topic("crypto-raw", 1).await;
    let live = platform.start_stage(platform.config("a", CLEAN));
    let producing = async {
        for minute in 0.. {
            let ticks = market_between(minute..minute + 1);
            platform.produce("crypto-raw", 0, &ticks).await;
        }
    };
    let starting = async {
        for _ in 0..STARTS {
            let mut config = platform.config("a", CLEAN);
            // With a lake of its own, neither has to give way.
            config.settings.lake = platform.lake_path("b").to_str().unwrap().to_owned();
            let copy = platform.start_stage(config);
            eventually("the copy works", || async {
                copy.task.is_finished() || copy.status.records_read.load(Ordering::Relaxed) > 0
            })
            .await;
            match copy.task.is_finished() {
                true => copy.ends().await.unwrap(),
                false => copy.task.abort(),
            }
        }
    };
    tokio::select! {
        () = producing => {}
        () = starting => {}
    }
    live.stops().await.unwrap();
}
