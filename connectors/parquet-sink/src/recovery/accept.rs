//! When the operator accepts a change of the input, that becomes an entry in the log of the main table. Later starts need no
//! flag, whether rows follow or not, and outputs made after the entry are those of the input as it is now.

use lake::{CommitStamp, STAMP_VERSION, Transaction};

use super::facts::Facts;
use super::resume::ResumePlan;
use crate::context::StageContext;
use crate::error::StageError;

/// When the operator has accepted a change of the input (`--accept-…`), commits an entry without rows, so that later starts
/// need no flag.
///
/// # Errors
/// When the lake fails.
pub(crate) async fn commit_acceptance(
    stage: &StageContext,
    facts: &Facts,
    plan: &ResumePlan,
) -> Result<(), StageError> {
    let Some(before) = facts.lake.main.as_ref().filter(|_| plan.accepted) else {
        return Ok(());
    };
    let stamp = CommitStamp {
        writer: stage.writer.clone(),
        committed_at_ms: jiff::Timestamp::now().as_millisecond(),
        ..accepted(before, facts, plan)
    };
    let main = &stage.tables().await?[0].writer;
    main.commit(&mut Transaction::append(stamp, Vec::new()))
        .await?;
    Ok(())
}

/// The stamp from which the next start resumes as planned, without a flag.
fn accepted(before: &CommitStamp, facts: &Facts, plan: &ResumePlan) -> CommitStamp {
    let is_same_record =
        (plan.generation, plan.committed) == (before.generation, before.last_offset);
    let topics = facts.topics.iter().zip(&plan.topics);
    CommitStamp {
        version: STAMP_VERSION,
        partitions: facts.input.partitions,
        generation: plan.generation,
        first_offset: plan.committed + 1,
        last_offset: plan.committed,
        resume_offset: plan.open_at,
        greatest_source: before.greatest_source.map(|_| plan.greatest_source),
        record_hash: match is_same_record {
            true => before.record_hash.clone(),
            false => String::new(),
        },
        topic_ends: topics
            .map(|(topic, at)| {
                let later = at.later_outputs(plan.committed, at.end);
                (topic.name.clone(), later)
            })
            .collect(),
        ..before.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::super::resume::resume;
    use super::super::resume::tests::facts;
    use super::*;
    use crate::config::Accept;

    /// The facts of the next start, without a flag, after a change was accepted with one.
    fn after_accepting(change: impl FnOnce(&mut Facts)) -> Facts {
        let mut facts = facts();
        change(&mut facts);
        let plan = resume(&facts).unwrap();
        assert!(plan.accepted);
        let before = facts.lake.main.clone().unwrap();
        facts.lake.main = Some(accepted(&before, &facts, &plan));
        facts.accept = Accept::default();
        facts
    }

    #[test]
    fn a_recreated_topic_is_accepted_once() {
        let mut facts = after_accepting(|facts| {
            facts.input.log.end = 60;
            facts.input.record_hash = Some("other".to_owned());
            facts.accept.recreated_topic = true;
            facts.topics[0].tail = None;
            facts.topics[0].log.end = 0;
        });
        facts.input.record_hash = None;
        let plan = resume(&facts).unwrap();
        assert_eq!((plan.generation, plan.committed, plan.open_at), (1, -1, 0));
        assert_eq!(plan.side_tables, [-1]);
        assert!(!plan.accepted && plan.warnings.is_empty());

        // Outputs that came before the first rows are of the new input.
        facts.topics[0].tail = Some(48);
        facts.topics[0].log.end = 25;
        let topics = resume(&facts).unwrap().topics;
        let read_back = topics[0].read_back.unwrap();
        assert_eq!((topics[0].held_up_to, read_back.from()), (48, 0));
    }

    #[test]
    fn lost_records_are_accepted_once() {
        let facts = after_accepting(|facts| {
            facts.input.log.start = 60;
            facts.input.record_hash = None;
            facts.accept.lost_records = true;
        });
        let plan = resume(&facts).unwrap();
        assert_eq!((plan.generation, plan.committed, plan.open_at), (0, 59, 60));
        assert_eq!(plan.side_tables, [59]);
        assert!(!plan.accepted && plan.warnings.is_empty());
    }

    #[test]
    fn another_partition_count_is_accepted_once() {
        let accepting = |facts: &mut Facts| {
            facts.input.partitions = 3;
            facts.accept.partition_count = true;
            // Ahead of the lake.
            facts.topics[0].tail = Some(70);
            facts.topics[0].log.end = 36;
        };
        let facts = after_accepting(accepting);
        let plan = resume(&facts).unwrap();
        assert_eq!((plan.generation, plan.committed, plan.open_at), (0, 49, 30));
        assert_eq!(plan.topics[0].read_back.unwrap().from(), 24);
        assert!(!plan.accepted && plan.warnings.is_empty());

        // Retention has removed the outputs at 24 to 29: the start after the accepting one knows it, too.
        let facts = after_accepting(|facts| {
            accepting(facts);
            facts.topics[0].log.start = 30;
        });
        let read_back = resume(&facts).unwrap().topics[0].read_back.unwrap();
        assert_eq!((read_back.from(), read_back.oldest_gone()), (30, true));

        // The committed record still tells whether it is the same topic.
        let mut facts = after_accepting(accepting);
        facts.input.record_hash = Some("other".to_owned());
        let message = resume(&facts).unwrap_err().to_string();
        assert!(message.contains("--accept-recreated-topic"), "{message}");
    }
}
