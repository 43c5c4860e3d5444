//! Two copies of one stage: one of them stops, and no row lands twice.

use std::ops::ControlFlow;
use std::sync::Mutex;
use std::sync::mpsc;

use parquet_sink::StageConfig;
use parquet_sink::failpoints::{Failpoint, Failpoints};

use crate::support::*;

fn small_files(mut config: StageConfig) -> StageConfig {
    config.settings.limits.rows_max = 70;
    config
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
    // The first copy sleeps when its first file is complete; the second does all the work meanwhile.
    let (wake, sleep) = mpsc::channel::<()>();
    let (asleep, is_asleep) = tokio::sync::oneshot::channel();
    let sleep = Mutex::new((sleep, Some(asleep)));
    let failpoints = Failpoints::new(move |point| {
        let mut sleep = sleep.lock().unwrap();
        if point == Failpoint::MainSealed
            && let Some(asleep) = sleep.1.take()
        {
            asleep.send(()).unwrap();
            let _ = sleep.0.recv();
        }
        ControlFlow::Continue(())
    });
    let first = platform.start_stage_with(small_files(platform.config("both", CLEAN)), failpoints);
    is_asleep.await.unwrap();
    platform
        .run_to_end(small_files(platform.config("both", CLEAN)))
        .await;
    wake.send(()).unwrap();
    let error = first.ends().await.unwrap_err().to_string();
    assert!(
        error.contains("another copy of this stage is running"),
        "{error}"
    );
    assert_same(&platform.landed("both", &CLEAN_MADE).await, &golden, "both");
}
