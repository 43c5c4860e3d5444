//! After a kill at any instant, lake and topics end up equal, row for row, to those of an uninterrupted run.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use broker::Faults;
use faults::SmallDisk;
use parquet_sink::StageConfig;
use parquet_sink::failpoints::{Failpoint, Failpoints};

use crate::support::*;

async fn platform() -> Platform {
    filled(Platform::start().await).await
}

pub(crate) async fn filled(platform: Platform) -> Platform {
    platform.module("crypto-clean", "crypto-clean", b"").await;
    platform
        .module("crypto-features", "crypto-features", b"")
        .await;
    platform.topic("crypto-raw", 1).await;
    platform.produce("crypto-raw", 0, &market(160)).await;
    platform
}

fn small_files(mut config: StageConfig) -> StageConfig {
    config.settings.limits.rows_max = 70;
    config
}

/// Kills the stage when it has passed `nth` failpoints that `wanted` picks, at the next one.
pub(crate) fn kill_at(
    nth: usize,
    wanted: impl Fn(Failpoint) -> bool + Send + Sync + 'static,
) -> Failpoints {
    let left = Arc::new(AtomicUsize::new(nth));
    Failpoints::new(move |point| {
        if wanted(point) && left.fetch_sub(1, Ordering::SeqCst) == 0 {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    })
}

/// Kills the stage at a point of its cut of this number, counted from 0.
fn kill_in(cut: usize, point: Failpoint) -> Failpoints {
    let begun = AtomicUsize::new(0);
    Failpoints::new(move |reached| {
        if reached == Failpoint::CutStarted {
            begun.fetch_add(1, Ordering::SeqCst);
        }
        match reached == point && begun.load(Ordering::SeqCst) == cut + 1 {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    })
}

pub(crate) async fn killed(platform: &Platform, config: StageConfig, failpoints: Failpoints) {
    let error = platform
        .start_stage_with(config, failpoints)
        .ends()
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "killed by a test");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_every_failpoint_loses_nothing() {
    let platform = platform().await;
    platform
        .run_to_end(small_files(platform.config("golden", CLEAN)))
        .await;
    let golden = platform.landed("golden", &CLEAN_MADE).await;
    // In the sixth cut it is midnight: the main table has a file for each of two dates.
    let at_midnight = (5, Failpoint::FilePut(2));
    let points = [
        Failpoint::CutStarted,
        Failpoint::TopicsAcknowledged,
        Failpoint::FilePut(0),
        Failpoint::FilePut(1),
        Failpoint::SideEntry(0),
        Failpoint::MainEntry,
    ];
    let in_each = |cut| points.map(|point| (cut, point));
    let kills = [0, 2, 5]
        .map(in_each)
        .into_iter()
        .flatten()
        .chain([at_midnight]);
    for (cut, point) in kills {
        let trial = trial_name(cut, point);
        let config = || small_files(platform.config(&trial, CLEAN));
        killed(&platform, config(), kill_in(cut, point)).await;
        platform.run_to_end(config()).await;
        let landed = platform.landed(&trial, &CLEAN_MADE).await;
        assert_same(
            &landed,
            &golden,
            &format!("killed at {point:?} of cut {cut}"),
        );
    }
}

/// Topics and folders are called after it.
fn trial_name(number: usize, point: Failpoint) -> String {
    let name = format!("{number}-{point:?}").replace(['(', ')'], "");
    name.to_lowercase()
}

/// Three partitions share the tables of one process; the first to reach the point takes the others with it.
#[tokio::test(flavor = "multi_thread")]
async fn partitions_that_share_tables_are_killed_together_and_lose_nothing() {
    let platform = Platform::start().await;
    platform.module("crypto-clean", "crypto-clean", b"").await;
    platform.topic("crypto-raw", 3).await;
    for partition in 0..3 {
        let ticks = market(130 + i64::from(partition));
        platform.produce("crypto-raw", partition, &ticks).await;
    }
    let made = Made {
        partitions: 3,
        ..CLEAN_MADE
    };
    platform
        .run_to_end(small_files(platform.config("golden", CLEAN)))
        .await;
    let golden = platform.landed("golden", &made).await;
    for (point, nth) in [
        (Failpoint::TopicsAcknowledged, 4),
        (Failpoint::FilePut(0), 1),
        (Failpoint::FilePut(1), 4),
        (Failpoint::FilePut(2), 0),
        (Failpoint::SideEntry(0), 1),
        (Failpoint::SideEntry(0), 7),
        (Failpoint::MainEntry, 1),
        (Failpoint::MainEntry, 8),
    ] {
        let trial = trial_name(nth, point);
        let config = || small_files(platform.config(&trial, CLEAN));
        let failpoints = kill_at(nth, move |reached| reached == point);
        killed(&platform, config(), failpoints).await;
        run_after_a_kill(&platform, config).await;
        let landed = platform.landed(&trial, &made).await;
        assert_same(
            &landed,
            &golden,
            &format!("killed at {point:?}, time {nth}"),
        );
    }
}

/// Runs a stage to its end. A thread of an aborted run may still make an entry, which looks like another copy.
async fn run_after_a_kill(platform: &Platform, config: impl Fn() -> StageConfig) {
    loop {
        let (_, ended) = platform.run_or_end(config(), Failpoints::default()).await;
        match ended {
            Ok(()) => return,
            Err(error) => assert!(error.to_string().contains("another copy"), "{error}"),
        }
    }
}

/// An upkeep may have removed data files that waited too long for their entry: they are written again.
#[tokio::test(flavor = "multi_thread")]
async fn files_that_waited_too_long_for_their_entry_are_written_again() {
    const TOO_LONG: Duration = Duration::from_secs(13 * 3600);
    let platform = platform().await;
    platform
        .run_to_end(small_files(platform.config("golden", CLEAN)))
        .await;
    let golden = platform.landed("golden", &CLEAN_MADE).await;
    let cuts = Arc::new(AtomicUsize::new(0));
    let is_first = {
        let cuts = cuts.clone();
        move || cuts.load(Ordering::SeqCst) == 1
    };
    let lake = platform.lake_path("late");
    let is_first_cut = is_first.clone();
    let failpoints = Failpoints::new(move |point| {
        if point == Failpoint::CutStarted {
            cuts.fetch_add(1, Ordering::SeqCst);
        }
        if point == Failpoint::FilePut(1) && is_first_cut() {
            for table in ["clean", "rejected"] {
                for date in std::fs::read_dir(lake.join(table)).unwrap() {
                    let date = date.unwrap();
                    if date.file_name().to_str().unwrap().starts_with("date=") {
                        std::fs::remove_dir_all(date.path()).unwrap();
                    }
                }
            }
        }
        ControlFlow::Continue(())
    });
    let failpoints = failpoints.aging_files(move || match is_first() {
        true => TOO_LONG,
        false => Duration::ZERO,
    });
    let stage = platform.start_stage_with(small_files(platform.config("late", CLEAN)), failpoints);
    stage.handles(platform.end("crypto-raw", 0).await).await;
    assert!(stage.status.restarts.load(Ordering::Relaxed) >= 1);
    stage.stops().await.unwrap();
    assert_same(&platform.landed("late", &CLEAN_MADE).await, &golden, "late");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_again_and_again_loses_nothing() {
    let platform = platform().await;
    platform
        .run_to_end(small_files(platform.config("golden", CLEAN)))
        .await;
    let golden = platform.landed("golden", &CLEAN_MADE).await;
    let inputs = platform.end("crypto-raw", 0).await;
    // Every run gets a little further: it is killed at its third, fourth, … point.
    let config = || small_files(platform.config("again", CLEAN));
    for nth in 2.. {
        let stage = platform.start_stage_with(config(), kill_at(nth, |_| true));
        let status = stage.status.clone();
        tokio::select! {
            () = eventually("all inputs are handled", || async { status.next_input() >= inputs }) => {
                // It may still be killed by its last commit.
                if stage.stops().await.is_ok() {
                    break;
                }
            }
            () = eventually("the stage is killed", || async { stage.task.is_finished() }) => {}
        }
    }
    assert_same(
        &platform.landed("again", &CLEAN_MADE).await,
        &golden,
        "again",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_reading_loses_nothing() {
    let platform = platform().await;
    platform
        .run_to_end(small_files(platform.config("golden", CLEAN)))
        .await;
    let golden = platform.landed("golden", &CLEAN_MADE).await;
    let config = || small_files(platform.config("reads", CLEAN));
    platform.topic("crypto-clean-reads", 1).await;
    for records in [1, 120, 260, 400] {
        let stage = platform.start_stage(config());
        // As soon as its topic has this many records, the stage is aborted, without a last commit.
        eventually("the topic gets further", || async {
            platform.end("crypto-clean-reads", 0).await >= records || stage.task.is_finished()
        })
        .await;
        stage.task.abort();
        // A thread of this process may still make an entry, which looks like another copy.
        if let Ok(Err(error)) = stage.task.await {
            assert!(error.to_string().contains("another copy"), "{error}");
        }
    }
    platform.run_to_end(config()).await;
    assert_same(
        &platform.landed("reads", &CLEAN_MADE).await,
        &golden,
        "reads",
    );
}

/// The state of a sliding window is rebuilt from the resume offset, not from the beginning.
#[tokio::test(flavor = "multi_thread")]
async fn windows_continue_after_a_kill() {
    let made = Made {
        layers: &["features"],
        topics: &["crypto-features"],
        partitions: 1,
    };
    let platform = platform().await;
    platform.run_to_end(platform.config("in", CLEAN)).await;
    let config = |trial: &str| {
        let mut config = small_files(platform.config(trial, FEATURES));
        config.meta.topic.name = platform.name("crypto-clean-in");
        // Short, so that there are inputs before it which need not be read again.
        config.settings.state.as_mut().unwrap().horizon = Duration::from_secs(100 * 60);
        config.transforms[0]
            .with
            .insert("allowed_lateness".to_owned(), "10m".to_owned());
        config
    };
    platform.run_to_end(config("golden")).await;
    let golden = platform.landed("golden", &made).await;
    assert_eq!(golden.layers["features"].len(), 480);
    // Three runs, each killed right after its second commit; an uninterrupted run has eight.
    for _ in 0..3 {
        let failpoints = kill_at(1, |point| point == Failpoint::MainEntry);
        killed(&platform, config("killed"), failpoints).await;
    }
    platform.run_to_end(config("killed")).await;
    assert_same(&platform.landed("killed", &made).await, &golden, "killed");
    let stamps = platform.stamps("killed", "features");
    let resumed: Vec<_> = stamps
        .iter()
        .map(|stamp| (stamp.resume_offset, stamp.last_offset))
        .collect();
    assert!(
        resumed
            .iter()
            .any(|(resume, last)| *resume > 0 && resume < last),
        "{resumed:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_goes_away_for_a_while_loses_nothing() {
    let mut platform = filled(Platform::embedded().await).await;
    platform
        .run_to_end(small_files(platform.config("golden", CLEAN)))
        .await;
    let golden = platform.landed("golden", &CLEAN_MADE).await;
    let more = market(220).split_off(market(160).len());
    let stage = platform.start_stage(small_files(platform.config("away", CLEAN)));
    stage.handles(platform.end("crypto-raw", 0).await).await;
    platform
        .restart_broker_after(async || {
            eventually("the stage restarts", || async {
                stage.status.restarts.load(Ordering::Relaxed) > 0
            })
            .await;
        })
        .await;
    platform.produce("crypto-raw", 0, &more).await;
    stage.handles(platform.end("crypto-raw", 0).await).await;
    stage.stops().await.unwrap();
    let landed = platform.landed("away", &CLEAN_MADE).await;
    let before = golden.layers["clean"].len();
    assert_eq!(landed.layers["clean"][..before], golden.layers["clean"][..]);
    assert_eq!(landed.layers["clean"].len(), 3 * 220);
    let inputs = platform.end("crypto-raw", 0).await as usize;
    assert_eq!(
        landed.layers["clean"].len() + landed.layers["rejected"].len(),
        inputs
    );
}

/// Reads that start in the middle of a batch, modules asked twice, connections that break after the write.
#[tokio::test(flavor = "multi_thread")]
async fn killed_on_a_faulty_cluster_loses_nothing() {
    let faults = Faults::default();
    let platform = filled(Platform::embedded_with(faults.clone()).await).await;
    platform
        .run_to_end(small_files(platform.config("golden", CLEAN)))
        .await;
    let golden = platform.landed("golden", &CLEAN_MADE).await;
    faults.careless_modules(true);
    faults.cut_reads(true);
    let config = || small_files(platform.config("faulty", CLEAN));
    for _ in 0..3 {
        faults.break_before_ack(2);
        faults.refuse_writes(1);
        let failpoints = kill_at(1, |point| point == Failpoint::SideEntry(0));
        killed(&platform, config(), failpoints).await;
    }
    platform.run_to_end(config()).await;
    assert_same(
        &platform.landed("faulty", &CLEAN_MADE).await,
        &golden,
        "faulty",
    );
}

/// An SPU closes the file of a full segment even while a module reads it.
#[tokio::test(flavor = "multi_thread")]
async fn a_segment_that_was_closed_under_a_stream_is_read_again() {
    let faults = Faults::default();
    let platform = filled(Platform::embedded_with(faults.clone()).await).await;
    let config = |trial| small_files(platform.config(trial, CLEAN));
    platform.run_to_end(config("golden")).await;
    let golden = platform.landed("golden", &CLEAN_MADE).await;
    faults.lose_segment_files(3);
    let stage = platform.start_stage(config("closed"));
    stage.handles(platform.end("crypto-raw", 0).await).await;
    assert_eq!(stage.status.restarts.load(Ordering::Relaxed), 3);
    stage.stops().await.unwrap();
    let landed = platform.landed("closed", &CLEAN_MADE).await;
    assert_same(&landed, &golden, "closed");
}

/// A real file system without space; needs permission to mount one.
#[tokio::test(flavor = "multi_thread")]
async fn a_stage_waits_for_space_on_a_full_disk() {
    let platform = platform().await;
    platform
        .run_to_end(small_files(platform.config("golden", CLEAN)))
        .await;
    let golden = platform.landed("golden", &CLEAN_MADE).await;
    let Some(disk) = SmallDisk::mount(&platform.lake_path("full"), "40k") else {
        return;
    };
    let stage = platform.start_stage(small_files(platform.config("full", CLEAN)));
    let inputs = platform.end("crypto-raw", 0).await;
    stage.handles(70).await;
    eventually("the disk is full and the topic still grows", || async {
        platform.end("crypto-clean-full", 0).await >= 140
    })
    .await;
    let commits = platform.stamps("full", "clean").len();
    assert!(commits < 7, "{commits} commits fit on the small disk");
    for row in platform.rows("full", "clean").await {
        assert!(
            golden.layers["clean"].contains(&row),
            "every committed file must be whole"
        );
    }
    disk.remount("size=40m");
    stage.handles(inputs).await;
    stage.stops().await.unwrap();
    assert_same(&platform.landed("full", &CLEAN_MADE).await, &golden, "full");
}

/// A broken disk becomes read-only, which no retry can mend.
#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_disk_ends_the_stage_with_an_error() {
    let platform = platform().await;
    platform
        .run_to_end(small_files(platform.config("golden", CLEAN)))
        .await;
    let golden = platform.landed("golden", &CLEAN_MADE).await;
    let Some(disk) = SmallDisk::mount(&platform.lake_path("ro"), "40m") else {
        return;
    };
    let disk = Arc::new(disk);
    let breaking = disk.clone();
    let cuts = AtomicUsize::new(0);
    let failpoints = Failpoints::new(move |point| {
        if point == Failpoint::CutStarted && cuts.fetch_add(1, Ordering::SeqCst) == 1 {
            breaking.remount("ro");
        }
        ControlFlow::Continue(())
    });
    let config = || small_files(platform.config("ro", CLEAN));
    let ended = platform.start_stage_with(config(), failpoints).ends().await;
    let error = ended.unwrap_err().to_string();
    assert!(error.contains("refuses access to"), "{error}");
    disk.remount("rw");
    platform.run_to_end(config()).await;
    assert_same(&platform.landed("ro", &CLEAN_MADE).await, &golden, "ro");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_write_to_the_lake_is_retried() {
    let platform = platform().await;
    platform
        .run_to_end(small_files(platform.config("golden", CLEAN)))
        .await;
    let golden = platform.landed("golden", &CLEAN_MADE).await;
    let lake = platform.lake_path("full");
    // From the second commit on, the folder for files being written is missing.
    let (tmp, aside) = (lake.join("_tmp"), lake.join("aside"));
    let commits = Arc::new(AtomicUsize::new(0));
    let failpoints = {
        let (tmp, aside, commits) = (tmp.clone(), aside.clone(), commits.clone());
        Failpoints::new(move |point| {
            if point == Failpoint::CutStarted && commits.fetch_add(1, Ordering::SeqCst) == 1 {
                std::fs::rename(&tmp, &aside).unwrap();
            }
            ControlFlow::Continue(())
        })
    };
    let stage = platform.start_stage_with(small_files(platform.config("full", CLEAN)), failpoints);
    eventually("the topic is ahead of the stuck lake", || async {
        aside.exists() && platform.end("crypto-clean-full", 0).await >= 100
    })
    .await;
    std::fs::rename(&aside, &tmp).unwrap();
    stage.handles(platform.end("crypto-raw", 0).await).await;
    stage.stops().await.unwrap();
    assert_same(&platform.landed("full", &CLEAN_MADE).await, &golden, "full");
}
