//! Where an output topic resumes, decided from the [`Facts`] without I/O.

use connector_runtime::record::LogRange;

use super::facts::{Facts, TopicFacts};
use super::refusal::Refusal;

/// Where one output topic resumes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TopicPlan {
    /// The last input whose output it holds, or the last committed one.
    pub held_up_to: i64,
    /// Its next offset.
    pub end: i64,
    /// The topic is ahead of the lake: rows up to `held_up_to` are read back from it.
    pub read_back: Option<ReadBackPlan>,
}

impl TopicPlan {
    /// Where in the topic the outputs of inputs after `last_offset` begin, or a lower offset; `end` is where those of the
    /// inputs before end if this run wrote them. Below the log's start when retention has removed some, so that the next
    /// start knows.
    pub(crate) fn later_outputs(&self, last_offset: i64, end: i64) -> i64 {
        match self.read_back {
            Some(read_back) if self.held_up_to > last_offset => read_back.wanted,
            _ => end,
        }
    }
}

/// Rows that are read from an output topic instead of being computed again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ReadBackPlan {
    /// Where in the topic the outputs begin that the lake lacks, as the last commit says.
    pub wanted: i64,
    /// What the topic held at the start.
    pub log: LogRange,
}

impl ReadBackPlan {
    /// The first offset to read.
    pub(crate) fn from(&self) -> i64 {
        self.wanted.max(self.log.start)
    }

    /// Retention has removed older outputs from the topic: those are computed again.
    pub(crate) fn oldest_gone(&self) -> bool {
        self.wanted < self.log.start
    }
}

/// Where an output topic resumes when the inputs up to `committed` are in the lake.
///
/// # Errors
/// When it holds outputs of inputs that do not exist.
pub(super) fn topic_plan(
    facts: &Facts,
    topic: &TopicFacts,
    committed: i64,
    recreated: bool,
) -> Result<TopicPlan, Refusal> {
    let at_the_commit = TopicPlan {
        held_up_to: committed,
        end: topic.log.end,
        read_back: None,
    };
    let Some(tail) = topic.tail else {
        return Ok(at_the_commit);
    };
    if tail >= facts.input.log.end || recreated {
        return Err(Refusal::OutputAhead {
            output: topic.name.clone(),
            topic: facts.input.topic.clone(),
            partition: facts.input.partition,
            tail,
            flag: match recreated {
                true => " with --accept-recreated-topic",
                false => "",
            },
        });
    }
    if tail <= committed {
        return Ok(at_the_commit);
    }
    let main = facts.lake.main.as_ref();
    let end_at_commit = main.and_then(|stamp| stamp.topic_ends.get(&topic.name));
    // An end beyond the log is that of an earlier topic of this name: all that this one holds came later.
    let end_at_commit = end_at_commit.filter(|end| **end <= topic.log.end);
    Ok(TopicPlan {
        held_up_to: tail,
        end: topic.log.end,
        read_back: Some(ReadBackPlan {
            wanted: end_at_commit.copied().unwrap_or(0),
            log: topic.log,
        }),
    })
}
