use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

use super::*;

fn value(recorder: &PrometheusHandle, name: &str) -> f64 {
    let scrape = recorder.render();
    let samples = scrape.lines().filter_map(|line| line.rsplit_once(' '));
    let (_, value) = samples
        .into_iter()
        .find(|(series, _)| *series == name)
        .unwrap();
    value.parse().unwrap()
}

#[tokio::test]
async fn before_anything_new_comes_the_start_counts() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let _local = metrics::set_default_local_recorder(&recorder);
    let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
    let status = SourceStatus::with_clock(Clock::simulated(start));
    status.started();
    status.clock.sleep(Duration::from_secs(60)).await;
    status.count_poll(PollResult::Empty);
    let scraped = |name| value(&recorder.handle(), name);
    assert_eq!(scraped("coingecko_source_last_new_timestamp_seconds"), 1e3);
    assert_eq!(
        scraped("coingecko_source_last_poll_timestamp_seconds"),
        1_060.0
    );
}

#[tokio::test]
async fn no_reply_is_missed_while_the_past_is_filled_in() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let _local = metrics::set_default_local_recorder(&recorder);
    let clock = Clock::simulated(SystemTime::UNIX_EPOCH);
    let status = SourceStatus::with_clock(clock);
    status.started();
    status.polls_every(Duration::from_secs(60));
    let filling = || value(&recorder.handle(), "coingecko_source_backfilling");
    status.count_poll(PollResult::New);
    assert_eq!(filling(), 0.0);
    status.set_backfilling(Some((0, 250)));
    status.clock.sleep(Duration::from_secs(3_000)).await;
    assert_eq!(filling(), 1.0);
    status.set_backfilling(None);
    assert_eq!(status.replied_in_time(), Ok(()));
    status.clock.sleep(Duration::from_secs(60)).await;
    assert_eq!(
        filling(),
        1.0,
        "until the next poll, as its times are old until then"
    );
    status.count_poll(PollResult::Failed);
    assert_eq!(filling(), 0.0);
    status.clock.sleep(Duration::from_secs(121)).await;
    assert!(status.replied_in_time().is_err());
}
