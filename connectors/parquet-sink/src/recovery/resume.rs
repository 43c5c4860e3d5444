//! Where a partition resumes, decided from the [`Facts`] without I/O.
//!
//! Always true: P, the last committed input, is what the main table's newest entry for this partition says. Each destination resumes
//! after max(P, what it holds itself), so nothing is written twice and nothing is left out, whichever step of a commit
//! came last. When the input has changed, this refuses and names the way out.

use connector_runtime::record::LogRange;

use super::facts::Facts;
use super::refusal::Refusal;
use super::topics::{TopicPlan, topic_plan};

/// Where everything resumes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ResumePlan {
    /// How many times the input topic was recreated.
    pub generation: u32,
    /// P: the last committed input, or the one before the oldest when nothing is committed.
    pub committed: i64,
    /// Where the input stream opens.
    pub open_at: i64,
    /// The last input that each side table holds, in the order of the plan.
    pub side_tables: Vec<i64>,
    /// Where each output topic resumes, in the order of the plan.
    pub topics: Vec<TopicPlan>,
    /// For a derived topic: the greatest `source_offset` of the committed records; -1 when there is none.
    pub greatest_source: i64,
    /// The input has changed, and the operator accepts that.
    pub accepted: bool,
    /// What the operator should know.
    pub warnings: Vec<String>,
}

/// Decides where everything resumes.
///
/// # Errors
/// When the input has changed and the operator has not accepted that.
pub(crate) fn resume(facts: &Facts) -> Result<ResumePlan, Refusal> {
    let mut warnings = Vec::new();
    let position = main_position(facts, &mut warnings)?;
    let topics = facts.topics.iter();
    Ok(ResumePlan {
        generation: position.generation,
        committed: position.committed,
        open_at: position.open_at,
        side_tables: side_tables(facts, &position)?,
        topics: topics
            .map(|topic| topic_plan(facts, topic, position.committed, position.recreated))
            .collect::<Result<_, _>>()?,
        greatest_source: match (&facts.lake.main, position.recreated) {
            (Some(stamp), false) => stamp.greatest_source.unwrap_or(-1),
            _ => -1,
        },
        accepted: position.accepted,
        warnings,
    })
}

/// Where the main table resumes.
struct Position {
    generation: u32,
    committed: i64,
    open_at: i64,
    /// The input topic was recreated, which the operator accepts.
    recreated: bool,
    /// This or another change was accepted.
    accepted: bool,
}

fn main_position(facts: &Facts, warnings: &mut Vec<String>) -> Result<Position, Refusal> {
    let (input, accept) = (&facts.input, facts.accept);
    let (topic, partition) = (&input.topic, input.partition);
    let LogRange { start, .. } = input.log;
    let beginning = |generation, recreated| Position {
        generation,
        committed: start - 1,
        open_at: start,
        recreated,
        accepted: facts.lake.main.is_some(),
    };
    let Some(stamp) = &facts.lake.main else {
        return match &facts.lake.other_stage {
            None => Ok(beginning(0, false)),
            Some(other) => Err(Refusal::OtherStage {
                topic: topic.clone(),
                partition,
                landed: other.last_offset,
                other: other.app.stage.clone(),
                this: facts.stage.clone(),
            }),
        };
    };
    if stamp.partitions != input.partitions {
        if !accept.partition_count {
            return Err(Refusal::PartitionCount {
                topic: topic.clone(),
                before: stamp.partitions,
                now: input.partitions,
            });
        }
        warnings.push(format!(
            "{topic} now has {} partitions instead of {}, as accepted",
            input.partitions, stamp.partitions
        ));
    }
    if let Some(reason) = how_it_differs(facts, stamp.last_offset, &stamp.record_hash) {
        if !accept.recreated_topic {
            return Err(recreated(facts, reason));
        }
        warnings.push(format!(
            "{topic}/{partition} was recreated, as accepted: landing it from offset {start}"
        ));
        return Ok(beginning(stamp.generation + 1, true));
    }
    let wanted = stamp.last_offset + 1;
    if start > wanted {
        if !accept.lost_records {
            return Err(Refusal::LostRecords {
                topic: topic.clone(),
                partition,
                start,
                wanted,
            });
        }
        warnings.push(format!(
            "{topic}/{partition}: offsets {wanted} to {} are lost, as accepted",
            start - 1
        ));
        return Ok(beginning(stamp.generation, false));
    }
    if stamp.resume_offset < start {
        warnings.push(format!(
            "{topic}/{partition} begins at offset {start}, but the module's state needs records from {} on: outputs may \
             differ from those of an uninterrupted run until its state is complete again",
            stamp.resume_offset
        ));
    }
    Ok(Position {
        generation: stamp.generation,
        committed: stamp.last_offset,
        open_at: input
            .greatest_at
            .map_or(stamp.resume_offset, |at| at.min(stamp.resume_offset))
            .clamp(start, wanted),
        recreated: false,
        accepted: stamp.partitions != input.partitions,
    })
}

/// Why the input is not the topic that was landed; `None` when it is.
fn how_it_differs(facts: &Facts, committed: i64, committed_hash: &str) -> Option<String> {
    let end = facts.input.log.end;
    if committed >= end {
        return Some(format!(
            "it ends at offset {end}, but inputs up to {committed} are landed"
        ));
    }
    let hash = facts.input.record_hash.as_ref()?;
    let differs = !committed_hash.is_empty() && hash != committed_hash;
    differs.then(|| format!("its record at offset {committed} is not the one that was landed"))
}

fn recreated(facts: &Facts, reason: String) -> Refusal {
    Refusal::Recreated {
        topic: facts.input.topic.clone(),
        partition: facts.input.partition,
        reason,
    }
}

fn side_tables(facts: &Facts, position: &Position) -> Result<Vec<i64>, Refusal> {
    let end = facts.input.log.end;
    let tables = facts.lake.side_tables.iter().map(|stamp| {
        let stamp = stamp.as_ref();
        let stamp = stamp.filter(|stamp| stamp.generation == position.generation);
        let held_up_to = stamp.map_or(position.committed, |stamp| {
            stamp.last_offset.max(position.committed)
        });
        match held_up_to >= end && held_up_to > position.committed {
            true => Err(recreated(
                facts,
                format!("it ends at offset {end}, but rows up to {held_up_to} are landed"),
            )),
            false => Ok(held_up_to),
        }
    });
    tables.collect()
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap;

    use lake::{AppId, CommitStamp};

    use super::super::facts::{InputFacts, LakeFacts, TopicFacts};
    use super::super::topics::ReadBackPlan;
    use super::*;
    use crate::config::Accept;

    fn stamp(first_offset: i64, last_offset: i64, resume_offset: i64) -> CommitStamp {
        CommitStamp {
            version: 2,
            writer: "w".to_owned(),
            app: AppId {
                stage: "stage".to_owned(),
                topic: "in".to_owned(),
                partition: 0,
            },
            partitions: 1,
            generation: 0,
            first_offset,
            last_offset,
            resume_offset,
            greatest_source: None,
            record_hash: "hash".to_owned(),
            modules: Vec::new(),
            committed_at_ms: 0,
            topic_ends: BTreeMap::from([("out".to_owned(), last_offset / 2)]),
        }
    }

    /// A log of 0..100, committed up to 49, state needed from 30 on; a side table and a topic that hold the same.
    pub(in super::super) fn facts() -> Facts {
        Facts {
            stage: "stage".to_owned(),
            input: InputFacts {
                topic: "in".to_owned(),
                partition: 0,
                partitions: 1,
                log: LogRange { start: 0, end: 100 },
                record_hash: Some("hash".to_owned()),
                greatest_at: None,
            },
            lake: LakeFacts {
                main: Some(stamp(0, 49, 30)),
                other_stage: None,
                side_tables: vec![Some(stamp(0, 49, 30))],
            },
            topics: vec![TopicFacts {
                name: "out".to_owned(),
                log: LogRange { start: 0, end: 25 },
                tail: Some(48),
            }],
            accept: Accept::default(),
        }
    }

    fn plan(change: impl FnOnce(&mut Facts)) -> ResumePlan {
        let mut facts = facts();
        change(&mut facts);
        resume(&facts).unwrap()
    }

    fn refusal(change: impl FnOnce(&mut Facts)) -> String {
        let mut facts = facts();
        change(&mut facts);
        resume(&facts).unwrap_err().to_string()
    }

    #[test]
    fn after_a_whole_commit_everything_resumes_there() {
        let plan = plan(|_| {});
        assert_eq!((plan.committed, plan.open_at), (49, 30));
        assert_eq!(plan.side_tables, [49]);
        assert_eq!(plan.topics[0].held_up_to, 49);
        assert_eq!(plan.topics[0].read_back, None);
        assert!(plan.warnings.is_empty());
    }

    #[test]
    fn a_module_that_drops_duplicates_sees_the_greatest_source_first() {
        let stateless = |facts: &mut Facts| facts.lake.main = Some(stamp(0, 49, 50));
        assert_eq!(plan(stateless).open_at, 50);
        let plan = plan(|facts| {
            stateless(facts);
            facts.input.greatest_at = Some(47);
        });
        assert_eq!((plan.committed, plan.open_at), (49, 47));
    }

    #[test]
    fn killed_before_the_first_write_starts_at_the_beginning() {
        let plan = plan(|facts| {
            facts.lake.main = None;
            facts.input.record_hash = None;
            facts.lake.side_tables = vec![None];
            facts.topics[0].tail = None;
        });
        assert_eq!((plan.committed, plan.open_at), (-1, 0));
        assert_eq!((plan.side_tables[0], plan.topics[0].held_up_to), (-1, -1));
    }

    #[test]
    fn rows_of_another_stage_are_not_landed_again() {
        let renamed = |facts: &mut Facts| facts.lake.other_stage = facts.lake.main.take();
        let message = refusal(|facts| {
            renamed(facts);
            facts.stage = "renamed".to_owned();
        });
        assert!(
            message.contains("up to offset 49 from stage stage, so renamed would"),
            "{message}"
        );
    }

    #[test]
    fn killed_with_the_topic_ahead_reads_its_rows_back() {
        let plan = plan(|facts| {
            facts.topics[0].tail = Some(70);
            facts.topics[0].log.end = 36;
        });
        let expected = ReadBackPlan {
            wanted: 24,
            log: LogRange { start: 0, end: 36 },
        };
        assert_eq!(plan.topics[0].held_up_to, 70);
        assert_eq!(plan.topics[0].read_back, Some(expected));
        assert_eq!(plan.open_at, 30);
    }

    #[test]
    fn killed_before_the_first_commit_reads_all_of_the_topic_back() {
        let plan = plan(|facts| {
            facts.lake.main = None;
            facts.lake.side_tables = vec![None];
        });
        assert_eq!(plan.committed, -1);
        let read_back = plan.topics[0].read_back.unwrap();
        assert_eq!((read_back.from(), read_back.log.end), (0, 25));
    }

    #[test]
    fn killed_between_a_side_table_and_the_main_table_keeps_the_side_table_s_rows() {
        let plan = plan(|facts| facts.lake.side_tables[0] = Some(stamp(50, 80, 60)));
        assert_eq!((plan.committed, plan.side_tables[0]), (49, 80));
    }

    #[test]
    fn a_side_table_without_new_rows_resumes_at_the_commit() {
        let plan = plan(|facts| facts.lake.side_tables[0] = Some(stamp(0, 9, 5)));
        assert_eq!(plan.side_tables[0], 49);
    }

    #[test]
    fn outputs_gone_from_the_topic_are_computed_again() {
        let plan = plan(|facts| {
            facts.topics[0].tail = Some(70);
            facts.topics[0].log = LogRange { start: 30, end: 36 };
        });
        let read_back = plan.topics[0].read_back.unwrap();
        assert_eq!((read_back.from(), read_back.oldest_gone()), (30, true));
    }

    /// Retention has removed the outputs at 24 to 29. A commit meanwhile must not hide that from the start after it.
    #[test]
    fn killed_while_it_computes_outputs_again_resumes_with_them() {
        let evicted = |facts: &mut Facts| {
            facts.topics[0].tail = Some(70);
            facts.topics[0].log = LogRange { start: 30, end: 36 };
        };
        let first = plan(evicted);
        let cut = 52;
        let second = plan(|facts| {
            evicted(facts);
            let stamp = CommitStamp {
                topic_ends: BTreeMap::from([(
                    "out".to_owned(),
                    first.topics[0].later_outputs(cut, 36),
                )]),
                ..stamp(50, cut, 30)
            };
            facts.lake.main = Some(stamp.clone());
            facts.lake.side_tables = vec![Some(stamp)];
        });
        assert_eq!((second.committed, second.topics[0].held_up_to), (cut, 70));
        let read_back = second.topics[0].read_back.unwrap();
        assert_eq!((read_back.from(), read_back.oldest_gone()), (30, true));
    }

    #[test]
    fn a_log_that_ends_below_the_commit_is_a_recreated_topic() {
        let message = refusal(|facts| facts.input.log.end = 49);
        assert!(message.contains("ends at offset 49"), "{message}");
        assert!(message.contains("--accept-recreated-topic"), "{message}");
    }

    #[test]
    fn another_record_at_the_commit_is_a_recreated_topic() {
        let message = refusal(|facts| facts.input.record_hash = Some("other".to_owned()));
        assert!(message.contains("record at offset 49"), "{message}");
    }

    #[test]
    fn an_accepted_recreated_topic_starts_a_generation() {
        let plan = plan(|facts| {
            facts.input.log.end = 10;
            facts.accept.recreated_topic = true;
            facts.topics[0].tail = None;
        });
        assert_eq!((plan.generation, plan.committed, plan.open_at), (1, -1, 0));
        assert_eq!(plan.side_tables, [-1]);
        assert_eq!(plan.warnings.len(), 1);
    }

    #[test]
    fn a_recreated_input_needs_a_recreated_output() {
        let message = refusal(|facts| {
            facts.input.log.end = 10;
            facts.accept.recreated_topic = true;
        });
        assert!(message.contains("fluvio topic delete out"), "{message}");
        let message = refusal(|facts| {
            facts.lake.main = None;
            facts.lake.side_tables = vec![None];
            facts.input.log.end = 10;
        });
        assert!(message.contains("fluvio topic delete out"), "{message}");
    }

    #[test]
    fn lost_records_stop_the_stage_unless_accepted() {
        let lost = |facts: &mut Facts| {
            facts.input.log.start = 60;
            facts.input.record_hash = None;
        };
        let message = refusal(lost);
        assert!(message.contains("--accept-lost-records"), "{message}");
        let plan = plan(|facts| {
            lost(facts);
            facts.accept.lost_records = true;
        });
        assert_eq!(
            (plan.committed, plan.open_at, plan.side_tables[0]),
            (59, 60, 59)
        );
        assert_eq!(plan.warnings.len(), 1);
    }

    #[test]
    fn a_lost_resume_offset_is_only_a_warning() {
        let plan = plan(|facts| {
            facts.input.log.start = 50;
            facts.input.record_hash = None;
        });
        assert_eq!((plan.committed, plan.open_at), (49, 50));
        assert_eq!(plan.warnings.len(), 1);
    }

    #[test]
    fn another_partition_count_stops_the_stage_unless_accepted() {
        let message = refusal(|facts| facts.input.partitions = 3);
        assert!(message.contains("--accept-partition-count"), "{message}");
        let plan = plan(|facts| {
            facts.input.partitions = 3;
            facts.accept.partition_count = true;
        });
        assert_eq!((plan.committed, plan.warnings.len()), (49, 1));
    }
}
