//! Where a stage goes on, decided from what was found; reading it is done elsewhere.
//!
//! Always true: P, the last committed input, is what the newest file of the main layer says. Each destination goes on
//! after max(P, what it holds itself), so nothing is written twice and nothing is left out, whichever step of a commit
//! was the last to happen. Where the input is not what it was, this refuses and names the way out.

use connector_runtime::reader::LogRange;

use crate::config::Accept;
use lake::FileStamp;

/// What was found at the start.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The input topic.
    pub topic: String,
    /// The input partition.
    pub partition: u32,
    /// How many partitions the input topic has.
    pub partitions: u32,
    /// What the input partition holds.
    pub log: LogRange,
    /// The stamp of the main layer's newest file.
    pub main: Option<FileStamp>,
    /// Where a SmartModule that ignores doubles must begin: at the committed input that was made from the greatest one.
    pub greatest_at: Option<i64>,
    /// The hash of the input record at the committed offset, when it is still there.
    pub record_hash: Option<String>,
    /// The newest stamp of each side layer, in order.
    pub side_layers: Vec<Option<FileStamp>>,
    /// Each output topic, in order.
    pub topics: Vec<TopicFacts>,
    /// What the operator accepts.
    pub accept: Accept,
    /// This run saw the output topics empty when it accepted a new input topic: what they hold now is of the new one.
    pub outputs_are_new: bool,
}

/// What was found in one output partition.
#[derive(Debug, Clone)]
pub struct TopicFacts {
    /// Its name.
    pub name: String,
    /// What the output partition holds.
    pub log: LogRange,
    /// Which input its last record was made from.
    pub tail: Option<i64>,
}

/// Where everything goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResumePlan {
    /// How often the topic was made anew; part of file names.
    pub generation: u32,
    /// P: the last committed input, or the one before the oldest when nothing is.
    pub committed: i64,
    /// Where the input stream opens.
    pub open_at: i64,
    /// For each side layer the last input it holds rows of.
    pub side_layers: Vec<i64>,
    /// For each output topic where it stands.
    pub topics: Vec<TopicPlan>,
    /// Of a derived topic: the greatest input that committed records were made from; -1 when there is none.
    pub greatest_source: i64,
    /// The input topic was made anew and nothing of it is committed yet.
    pub made_anew: bool,
    /// What the operator should know.
    pub warnings: Vec<String>,
}

/// Where one output topic goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicPlan {
    /// The last input it holds the output of.
    pub stands_at: i64,
    /// Its next offset.
    pub end: i64,
    /// The topic is ahead of the lake: rows up to `stands_at` are read back from it.
    pub read_back: Option<ReadBackPlan>,
}

/// Rows that are taken from an output topic instead of being computed again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadBackPlan {
    /// Offset in the output topic to read from.
    pub from: i64,
    /// End of the output topic at the start.
    pub end: i64,
    /// Older outputs are gone from the topic: those are computed again.
    pub oldest_gone: bool,
}

/// Why a stage does not start, and the way out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The input topic was made anew.
    #[error(
        "{topic}/{partition} is not the topic this lake was filled from: {how}. It was probably deleted and made anew; \
         restart with --accept-recreated-topic to land the new one from its beginning (the old files stay)"
    )]
    Recreated {
        /// The input topic.
        topic: String,
        /// The input partition.
        partition: u32,
        /// What gave it away.
        how: String,
    },
    /// Records that were not landed are gone.
    #[error(
        "{topic}/{partition} begins at offset {start}, but records from {wanted} on are not landed yet: the topic's \
         retention removed them; restart with --accept-lost-records to go on at {start}"
    )]
    LostRecords {
        /// The input topic.
        topic: String,
        /// The input partition.
        partition: u32,
        /// The oldest record.
        start: i64,
        /// The first one needed.
        wanted: i64,
    },
    /// The number of partitions changed.
    #[error(
        "{topic} has {now} partitions, but had {before} when this lake was filled: keys may have moved between \
         partitions; restart with --accept-partition-count to go on"
    )]
    PartitionCount {
        /// The input topic.
        topic: String,
        /// Then.
        before: u32,
        /// Now.
        now: u32,
    },
    /// An output topic holds outputs of inputs that do not exist.
    #[error(
        "{output}/{partition} holds outputs of {topic}/{partition} up to offset {tail}, but those are of an older \
         {topic}: its readers would ignore the new ones; delete {output} as well (fluvio topic delete {output}) and \
         restart{flag}"
    )]
    OutputAhead {
        /// The output topic.
        output: String,
        /// The input topic.
        topic: String,
        /// The partition of both.
        partition: u32,
        /// The input its last record was made from.
        tail: i64,
        /// The flag to restart with, if one is needed.
        flag: &'static str,
    },
}

/// Decides where everything goes on.
///
/// # Errors
/// When the input is not what it was and the operator has not accepted that.
pub fn resume(facts: &Facts) -> Result<ResumePlan, Refusal> {
    let mut warnings = Vec::new();
    let position = main_position(facts, &mut warnings)?;
    let committed = position.committed;
    let mut side_layers = Vec::with_capacity(facts.side_layers.len());
    for stamp in &facts.side_layers {
        let held = stamp
            .as_ref()
            .filter(|s| s.generation == position.generation);
        let stands_at = held.map_or(committed, |s| s.last_offset.max(committed));
        if stands_at >= facts.log.end && stands_at > committed {
            return Err(recreated(
                facts,
                format!(
                    "it ends at offset {}, but rows up to {stands_at} are landed",
                    facts.log.end
                ),
            ));
        }
        side_layers.push(stands_at);
    }
    let topics = facts.topics.iter();
    let topics = topics.map(|topic| topic_plan(facts, topic, &position));
    Ok(ResumePlan {
        generation: position.generation,
        committed,
        open_at: position.open_at,
        side_layers,
        topics: topics.collect::<Result<_, _>>()?,
        greatest_source: match (&facts.main, position.made_anew) {
            (Some(stamp), false) => stamp.greatest_source.unwrap_or(-1),
            _ => -1,
        },
        made_anew: position.made_anew,
        warnings,
    })
}

struct Position {
    generation: u32,
    committed: i64,
    open_at: i64,
    made_anew: bool,
}

fn main_position(facts: &Facts, warnings: &mut Vec<String>) -> Result<Position, Refusal> {
    let LogRange { start, end } = facts.log;
    let beginning = |generation, made_anew| Position {
        generation,
        committed: start - 1,
        open_at: start,
        made_anew,
    };
    let Some(stamp) = &facts.main else {
        return Ok(beginning(0, false));
    };
    if stamp.partitions != facts.partitions {
        if !facts.accept.partition_count {
            return Err(Refusal::PartitionCount {
                topic: facts.topic.clone(),
                before: stamp.partitions,
                now: facts.partitions,
            });
        }
        warnings.push(format!(
            "{} now has {} partitions instead of {}, as accepted",
            facts.topic, facts.partitions, stamp.partitions
        ));
    }
    let last = stamp.last_offset;
    let other_record = facts
        .record_hash
        .as_ref()
        .is_some_and(|hash| !stamp.record_hash.is_empty() && *hash != stamp.record_hash);
    let how = match (last >= end, other_record) {
        (true, _) => Some(format!(
            "it ends at offset {end}, but inputs up to {last} are landed"
        )),
        (_, true) => Some(format!(
            "its record at offset {last} is another one than was landed"
        )),
        _ => None,
    };
    if let Some(how) = how {
        if !facts.accept.recreated_topic {
            return Err(recreated(facts, how));
        }
        warnings.push(format!(
            "{}/{} was made anew, as accepted: landing it from offset {start}",
            facts.topic, facts.partition
        ));
        return Ok(beginning(stamp.generation + 1, true));
    }
    if start > last + 1 {
        if !facts.accept.lost_records {
            return Err(Refusal::LostRecords {
                topic: facts.topic.clone(),
                partition: facts.partition,
                start,
                wanted: last + 1,
            });
        }
        warnings.push(format!(
            "{}/{}: offsets {} to {} are lost, as accepted",
            facts.topic,
            facts.partition,
            last + 1,
            start - 1
        ));
        return Ok(beginning(stamp.generation, false));
    }
    if stamp.resume_offset < start {
        warnings.push(format!(
            "{}/{} begins at offset {start}: the module's state would need records from {} on, so outputs may differ \
             from those of an uninterrupted run until it has filled up again",
            facts.topic, facts.partition, stamp.resume_offset
        ));
    }
    Ok(Position {
        generation: stamp.generation,
        committed: last,
        open_at: facts
            .greatest_at
            .map_or(stamp.resume_offset, |at| at.min(stamp.resume_offset))
            .clamp(start, last + 1),
        made_anew: false,
    })
}

fn recreated(facts: &Facts, how: String) -> Refusal {
    Refusal::Recreated {
        topic: facts.topic.clone(),
        partition: facts.partition,
        how,
    }
}

fn topic_plan(
    facts: &Facts,
    topic: &TopicFacts,
    position: &Position,
) -> Result<TopicPlan, Refusal> {
    let committed = position.committed;
    let at_the_commit = TopicPlan {
        stands_at: committed,
        end: topic.log.end,
        read_back: None,
    };
    let Some(tail) = topic.tail else {
        return Ok(at_the_commit);
    };
    if tail >= facts.log.end || (position.made_anew && !facts.outputs_are_new) {
        return Err(Refusal::OutputAhead {
            output: topic.name.clone(),
            topic: facts.topic.clone(),
            partition: facts.partition,
            tail,
            flag: match position.made_anew {
                true => " with --accept-recreated-topic",
                false => "",
            },
        });
    }
    if tail <= committed {
        return Ok(at_the_commit);
    }
    let hint = facts.main.as_ref().filter(|_| !position.made_anew);
    let hint = hint.and_then(|stamp| stamp.topic_ends.get(&topic.name));
    // A hint beyond its end is that of a topic which was made anew: all that it holds now came later.
    let hint = hint.copied().filter(|hint| *hint <= topic.log.end);
    let wanted = hint.unwrap_or(0);
    Ok(TopicPlan {
        stands_at: tail,
        end: topic.log.end,
        read_back: Some(ReadBackPlan {
            from: wanted.max(topic.log.start),
            end: topic.log.end,
            oldest_gone: wanted < topic.log.start,
        }),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn stamp(first_offset: i64, last_offset: i64, resume_offset: i64) -> FileStamp {
        FileStamp {
            version: 1,
            writer: "w".to_owned(),
            topic: "in".to_owned(),
            partition: 0,
            partitions: 1,
            generation: 0,
            first_offset,
            last_offset,
            resume_offset,
            greatest_source: None,
            record_hash: "hash".to_owned(),
            modules: Vec::new(),
            schema_version: 1,
            committed_at_ms: 0,
            topic_ends: BTreeMap::from([("out".to_owned(), last_offset / 2)]),
        }
    }

    /// A log of 0..100, committed up to 49, state needed from 30 on; one side layer and one topic that stand there too.
    fn facts() -> Facts {
        Facts {
            topic: "in".to_owned(),
            partition: 0,
            partitions: 1,
            log: LogRange { start: 0, end: 100 },
            main: Some(stamp(0, 49, 30)),
            greatest_at: None,
            record_hash: Some("hash".to_owned()),
            side_layers: vec![Some(stamp(0, 49, 30))],
            topics: vec![TopicFacts {
                name: "out".to_owned(),
                log: LogRange { start: 0, end: 25 },
                tail: Some(48),
            }],
            accept: Accept::default(),
            outputs_are_new: false,
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
    fn after_a_whole_commit_all_stand_at_it() {
        let plan = plan(|_| {});
        assert_eq!((plan.committed, plan.open_at), (49, 30));
        assert_eq!(plan.side_layers, [49]);
        assert_eq!(plan.topics[0].stands_at, 49);
        assert_eq!(plan.topics[0].read_back, None);
        assert!(plan.warnings.is_empty());
    }

    #[test]
    fn a_module_that_ignores_doubles_sees_the_greatest_first() {
        let stateless = |f: &mut Facts| f.main = Some(stamp(0, 49, 50));
        assert_eq!(plan(stateless).open_at, 50);
        let plan = plan(|f| {
            stateless(f);
            f.greatest_at = Some(47);
        });
        assert_eq!((plan.committed, plan.open_at), (49, 47));
    }

    #[test]
    fn killed_before_anything_was_written() {
        let plan = plan(|f| {
            f.main = None;
            f.record_hash = None;
            f.side_layers = vec![None];
            f.topics[0].tail = None;
        });
        assert_eq!((plan.committed, plan.open_at), (-1, 0));
        assert_eq!((plan.side_layers[0], plan.topics[0].stands_at), (-1, -1));
    }

    #[test]
    fn killed_with_the_topic_ahead_reads_its_rows_back() {
        let plan = plan(|f| {
            f.topics[0].tail = Some(70);
            f.topics[0].log.end = 36;
        });
        let expected = ReadBackPlan {
            from: 24,
            end: 36,
            oldest_gone: false,
        };
        assert_eq!(plan.topics[0].stands_at, 70);
        assert_eq!(plan.topics[0].read_back, Some(expected));
        assert_eq!(plan.open_at, 30);
    }

    #[test]
    fn killed_before_the_first_commit_reads_all_of_the_topic_back() {
        let plan = plan(|f| {
            f.main = None;
            f.side_layers = vec![None];
        });
        assert_eq!(plan.committed, -1);
        let read_back = plan.topics[0].read_back.unwrap();
        assert_eq!((read_back.from, read_back.end), (0, 25));
    }

    #[test]
    fn killed_between_side_file_and_main_file_keeps_the_side_file() {
        let plan = plan(|f| f.side_layers[0] = Some(stamp(50, 80, 60)));
        assert_eq!((plan.committed, plan.side_layers[0]), (49, 80));
    }

    #[test]
    fn a_side_layer_without_rows_for_long_stands_at_the_commit() {
        let plan = plan(|f| f.side_layers[0] = Some(stamp(0, 9, 5)));
        assert_eq!(plan.side_layers[0], 49);
    }

    #[test]
    fn outputs_gone_from_the_topic_are_computed_again() {
        let plan = plan(|f| {
            f.topics[0].tail = Some(70);
            f.topics[0].log = LogRange { start: 30, end: 36 };
        });
        let read_back = plan.topics[0].read_back.unwrap();
        assert_eq!((read_back.from, read_back.oldest_gone), (30, true));
    }

    #[test]
    fn a_log_that_ends_below_the_commit_is_another_topic() {
        let sentence = refusal(|f| f.log.end = 49);
        assert!(sentence.contains("ends at offset 49"), "{sentence}");
        assert!(sentence.contains("--accept-recreated-topic"), "{sentence}");
    }

    #[test]
    fn another_record_at_the_commit_is_another_topic() {
        let sentence = refusal(|f| f.record_hash = Some("other".to_owned()));
        assert!(sentence.contains("record at offset 49"), "{sentence}");
    }

    #[test]
    fn an_accepted_new_topic_starts_a_generation() {
        let plan = plan(|f| {
            f.log.end = 10;
            f.accept.recreated_topic = true;
            f.topics[0].tail = None;
        });
        assert_eq!((plan.generation, plan.committed, plan.open_at), (1, -1, 0));
        assert_eq!(plan.side_layers, [-1]);
        assert_eq!(plan.warnings.len(), 1);
    }

    #[test]
    fn a_new_input_needs_a_new_output_too() {
        let sentence = refusal(|f| {
            f.log.end = 10;
            f.accept.recreated_topic = true;
        });
        assert!(sentence.contains("fluvio topic delete out"), "{sentence}");
        let sentence = refusal(|f| {
            f.main = None;
            f.side_layers = vec![None];
            f.log.end = 10;
        });
        assert!(sentence.contains("fluvio topic delete out"), "{sentence}");
        let plan = plan(|f| {
            f.log.end = 60;
            f.record_hash = Some("other".to_owned());
            f.accept.recreated_topic = true;
            f.outputs_are_new = true;
        });
        let read_back = plan.topics[0].read_back.unwrap();
        assert_eq!((plan.topics[0].stands_at, read_back.from), (48, 0));
    }

    #[test]
    fn lost_records_stop_the_stage_unless_accepted() {
        let lost = |f: &mut Facts| {
            f.log.start = 60;
            f.record_hash = None;
        };
        let sentence = refusal(lost);
        assert!(sentence.contains("--accept-lost-records"), "{sentence}");
        let plan = plan(|f| {
            lost(f);
            f.accept.lost_records = true;
        });
        assert_eq!(
            (plan.committed, plan.open_at, plan.side_layers[0]),
            (59, 60, 59)
        );
        assert_eq!(plan.warnings.len(), 1);
    }

    #[test]
    fn a_resume_offset_that_is_gone_is_only_warned_about() {
        let plan = plan(|f| {
            f.log.start = 50;
            f.record_hash = None;
        });
        assert_eq!((plan.committed, plan.open_at), (49, 50));
        assert_eq!(plan.warnings.len(), 1);
    }

    #[test]
    fn another_partition_count_stops_the_stage_unless_accepted() {
        let sentence = refusal(|f| f.partitions = 3);
        assert!(sentence.contains("--accept-partition-count"), "{sentence}");
        let plan = plan(|f| {
            f.partitions = 3;
            f.accept.partition_count = true;
        });
        assert_eq!((plan.committed, plan.warnings.len()), (49, 1));
    }
}
