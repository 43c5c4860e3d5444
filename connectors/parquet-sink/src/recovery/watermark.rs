//! The first input that a restarted module must see to have its state back.
//!
//! Always true: [`Watermark::resume_offset`] is at or before the first input that lifted the watermark to or above
//! (watermark - horizon). It is exactly that input, unless the watermark rose in steps finer than 1/1024 of the horizon;
//! then it is at most one such step earlier. This bounds the memory.

use std::collections::VecDeque;

/// Lifts are remembered in steps of this part of the horizon.
const STEPS: i64 = 1024;

/// The watermark of one partition (the greatest event time so far), and the inputs that lifted it.
#[derive(Debug, Clone)]
pub(crate) struct Watermark {
    horizon_ms: i64,
    /// Ascending by time and offset. The first one is the resume offset.
    lifts: VecDeque<Lift>,
    newest_ms: Option<i64>,
}

#[derive(Debug, Clone, Copy)]
struct Lift {
    time_ms: i64,
    offset: i64,
    /// Lifts between this one and the next were not stored.
    followed_by_others: bool,
}

impl Watermark {
    /// A watermark before the first input.
    pub(crate) fn new(horizon_ms: i64) -> Self {
        Self {
            horizon_ms,
            lifts: VecDeque::new(),
            newest_ms: None,
        }
    }

    /// Notes that the input at `offset` has this event time. Offsets ascend.
    pub(crate) fn observe(&mut self, time_ms: i64, offset: i64) {
        if self.newest_ms.is_some_and(|newest| time_ms <= newest) {
            return;
        }
        self.newest_ms = Some(time_ms);
        match self.lifts.back_mut() {
            Some(last) if time_ms.saturating_sub(last.time_ms) < self.horizon_ms / STEPS => {
                last.followed_by_others = true;
            }
            _ => self.lifts.push_back(Lift {
                time_ms,
                offset,
                followed_by_others: false,
            }),
        }
        let needed_ms = time_ms.saturating_sub(self.horizon_ms);
        let step_ms = self.horizon_ms / STEPS;
        // The first one can be removed unless a lift that is needed, but not stored, lies between it and the second.
        while let [first, second] = [self.lifts.front(), self.lifts.get(1)]
            && let (Some(first), Some(second)) = (first, second)
            && first.time_ms < needed_ms
            && (second.time_ms < needed_ms
                || !first.followed_by_others
                || first.time_ms.saturating_add(step_ms) <= needed_ms)
        {
            self.lifts.pop_front();
        }
    }

    /// The input to resume at; `None` while no input had an event time.
    pub(crate) fn resume_offset(&self) -> Option<i64> {
        self.lifts.front().map(|lift| lift.offset)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The definition, taken literally.
    fn first_lift_at_or_above(times: &[i64], horizon_ms: i64) -> Option<i64> {
        let newest = times.iter().max()?;
        let offset = times.iter().position(|time| *time >= newest - horizon_ms)?;
        Some(offset as i64)
    }

    fn observed(times: &[i64], horizon_ms: i64) -> Watermark {
        let mut watermark = Watermark::new(horizon_ms);
        for (offset, time) in times.iter().enumerate() {
            watermark.observe(*time, offset as i64);
        }
        watermark
    }

    #[test]
    fn an_input_exactly_at_the_horizon_is_needed() {
        assert_eq!(observed(&[0, 60, 120], 60).resume_offset(), Some(1));
        assert_eq!(observed(&[0, 59, 120], 60).resume_offset(), Some(2));
    }

    #[test]
    fn a_tie_resumes_at_its_first_input() {
        assert_eq!(observed(&[0, 60, 60, 60, 120], 60).resume_offset(), Some(1));
    }

    #[test]
    fn there_is_no_resume_offset_before_the_first_event_time() {
        assert_eq!(Watermark::new(60).resume_offset(), None);
    }

    proptest! {
        #[test]
        fn is_exact_on_coarse_steps(times in prop::collection::vec(-50_i64..200, 1..300), horizon in 1_i64..120) {
            let resume = observed(&times, horizon).resume_offset();
            prop_assert_eq!(resume, first_lift_at_or_above(&times, horizon));
        }

        #[test]
        fn is_never_late_and_bounded_on_fine_steps(
            steps in prop::collection::vec(-400_i64..900, 1..4_000),
        ) {
            let horizon = 1_000 * STEPS / 10;
            let times: Vec<i64> = steps.iter().scan(0, |t, s| { *t += s; Some(*t) }).collect();
            let watermark = observed(&times, horizon);
            let resume = watermark.resume_offset().unwrap();
            let exact = first_lift_at_or_above(&times, horizon).unwrap();
            prop_assert!(resume <= exact, "resume {resume}, needed {exact}");
            let needed = times.iter().max().unwrap() - horizon;
            prop_assert!(resume == exact || times[resume as usize] >= needed - horizon / STEPS);
            prop_assert!(watermark.lifts.len() as i64 <= STEPS + 2);
        }
    }
}
