//! How far each stage has committed its input, and whether it is stuck.

use std::time::Duration;

use anyhow::{Context, Result};
use connector_runtime::cluster::Client;
use connector_runtime::record::LogRange;
use connector_runtime::{reader, topic};
use jiff::Timestamp;
use lake::Summary;

use crate::blueprint::StagePlan;
use crate::report::{LakeLayer, Stage, Survey};
use crate::tables::Tables;

pub(crate) async fn survey(
    client: &Client,
    stage: &StagePlan,
    tables: &Tables,
    survey: &mut Survey,
) -> Result<()> {
    let mut main: Option<Summary> = None;
    for layer in stage.destinations.iter().filter_map(|d| d.layer.as_ref()) {
        // Before the first commit there is no table.
        let summary = tables.summary(layer).await?.unwrap_or_default();
        survey.lake.push(LakeLayer {
            name: layer.clone(),
            rows: summary.rows,
            files: summary.files,
            bytes: summary.bytes,
        });
        main.get_or_insert(summary);
    }
    let main = main.with_context(|| {
        let stage = &stage.name;
        format!(
            "stage {stage} has no layer to hold its commits: give one of its destinations a layer"
        )
    })?;
    let input = &stage.input;
    let Ok(partitions) = topic::partition_count(client, input).await else {
        return Ok(()); // `topics` reports a missing topic
    };
    for partition in 0..partitions {
        let place = main.place(input, partition);
        let committed = place.map(|place| place.last_offset);
        let log = reader::offsets(client, input, partition).await?;
        if let Some(message) = ahead(stage, partition, committed, log) {
            survey.report(&stage.name, message);
        }
        let next = committed.map_or(0, |last| last + 1).max(log.start);
        let lag = (log.end - next).max(0);
        let waiting = oldest_age(client, input, partition, next, log).await?;
        if let Some(waiting) = waiting.filter(|waiting| *waiting > stage.commit_age_max) {
            survey.report(&stage.name, behind(stage, partition, lag, waiting));
        }
        survey.stages.push(Stage {
            name: stage.name.clone(),
            topic: input.clone(),
            partition,
            lag,
            committed_offset: committed,
            seconds_since_commit: place.map(|place| {
                let now_ms = Timestamp::now().as_millisecond();
                age(place.committed_at_ms, now_ms).as_secs()
            }),
        });
    }
    Ok(())
}

fn behind(stage: &StagePlan, partition: u32, lag: i64, waiting: Duration) -> String {
    let StagePlan { name, input, .. } = stage;
    let records = if lag == 1 { "record" } else { "records" };
    let secs = waiting.as_secs();
    format!(
        "stage {name} is behind: {lag} {records} of {input}/{partition} not committed, the oldest for {secs} s; check that \
         the stage is running"
    )
}

/// What is wrong with a stage that has committed more than its input has ever held. A log that retention has emptied ends where it did.
fn ahead(
    stage: &StagePlan,
    partition: u32,
    committed: Option<i64>,
    log: LogRange,
) -> Option<String> {
    let StagePlan { name, input, .. } = stage;
    let committed = committed.filter(|committed| *committed >= log.end)?;
    let end = log.end;
    Some(format!(
        "stage {name} has committed offset {committed} of {input}/{partition}, whose log ends at {end}: {input} was recreated or has \
         lost records; the stage's log names the flag that lets it go on"
    ))
}

/// The age of the record at offset `next`; `None` when the log ends before it.
async fn oldest_age(
    client: &Client,
    input: &str,
    partition: u32,
    next: i64,
    log: LogRange,
) -> Result<Option<Duration>> {
    if next >= log.end {
        return Ok(None);
    }
    let oldest = reader::read_range(client, input, partition, next..next + 1).await?;
    let now_ms = client.cluster().clock().now_ms();
    Ok(oldest
        .first()
        .map(|record| age(record.timestamp_ms, now_ms)))
}

/// The time from `at_ms` to `now_ms`; zero for a time in the future.
fn age(at_ms: i64, now_ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(now_ms.saturating_sub(at_ms)).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage() -> StagePlan {
        StagePlan {
            name: "stage-clean".to_owned(),
            input: "crypto-raw".to_owned(),
            smartmodules: Vec::new(),
            destinations: Vec::new(),
            commit_age_max: Duration::from_mins(10),
        }
    }

    #[test]
    fn a_stage_that_has_committed_more_than_its_topic_holds_is_reported_with_the_remedy() {
        let ahead = |committed, start, end| ahead(&stage(), 2, committed, LogRange { start, end });
        assert_eq!(
            ahead(Some(120), 0, 7).unwrap(),
            "stage stage-clean has committed offset 120 of crypto-raw/2, whose log ends at 7: crypto-raw was recreated or has lost \
             records; the stage's log names the flag that lets it go on"
        );
        assert!(ahead(Some(7), 0, 7).is_some());
        assert_eq!(ahead(Some(6), 0, 7), None);
        assert_eq!(ahead(Some(6), 7, 7), None, "retention has emptied it");
        assert_eq!(ahead(None, 0, 0), None);
        // As a flag that was given has committed it.
        assert_eq!(ahead(Some(-1), 0, 0), None);
    }

    #[test]
    fn a_stage_that_is_behind_is_reported_with_the_lag_and_the_remedy() {
        assert_eq!(
            behind(&stage(), 2, 1, Duration::from_secs(700)),
            "stage stage-clean is behind: 1 record of crypto-raw/2 not committed, the oldest for 700 s; check that the stage \
             is running"
        );
    }

    #[test]
    fn a_time_in_the_future_has_no_age() {
        assert_eq!(age(i64::MAX, 0), Duration::ZERO);
    }
}
