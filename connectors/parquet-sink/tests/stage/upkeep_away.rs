//! A stage that was down for days, while upkeep ran, resumes as if it had never stopped.

use lake::upkeep::Upkeep;

use crate::support::*;

const HALF_A_DAY_MS: i64 = 43_200_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_stage_that_was_down_for_two_days_resumes_exactly() {
    let platform = Platform::start().await;
    platform.module("crypto-clean", "crypto-clean", b"").await;
    platform.topic("crypto-raw", 1).await;
    let records = market(160);
    let (before, after) = records.split_at(records.len() / 2);
    let config = || {
        let mut config = platform.config("away", CLEAN);
        config.settings.limits.rows_max = 20;
        config
    };
    platform.produce("crypto-raw", 0, before).await;
    platform.run_to_end(config()).await;
    let commits = platform.stamps("away", "clean").len();

    let lake = platform.lake("away");
    let stopped_ms = jiff::Timestamp::now().as_millisecond();
    for half_days in 1..=4 {
        let now_ms = stopped_ms + half_days * HALF_A_DAY_MS;
        let upkeep = Upkeep::at(now_ms).store_at(now_ms);
        for table in ["clean", "rejected"].map(|name| lake.table(name)) {
            upkeep.keep(&table).await.unwrap().unwrap();
            upkeep.vacuum(&table).await.unwrap().unwrap();
        }
    }
    let entries = lake.table("clean").history(usize::MAX).await;
    let entries = entries.unwrap().unwrap().len();
    assert!(commits > 5 && entries < commits, "{entries} of {commits}");

    platform.produce("crypto-raw", 0, after).await;
    platform.run_to_end(config()).await;
    platform.run_to_end(platform.config("golden", CLEAN)).await;
    assert_same(
        &platform.landed("away", &CLEAN_MADE).await,
        &platform.landed("golden", &CLEAN_MADE).await,
        "after two days",
    );
}
