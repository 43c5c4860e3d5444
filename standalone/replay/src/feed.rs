//! The steps that are still to come, one after the other as they are asked for.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant, UNIX_EPOCH};

use bytes::Bytes;

use crate::error::ReplayError;
use crate::market::{Market, Steps};
use crate::position::Position;
use crate::refusal::Refusal;
use crate::resume::steps_past;
use crate::speed::{Now, Speed};
use crate::step::Step;

/// Longer than anybody waits for a step, in seconds: a year.
const FAR_AHEAD_SECS: f64 = 365.0 * 86_400.0;

/// A step as it is served: one JSON array and where its elements lie.
pub(crate) struct Served {
    /// The strong form of its entity tag.
    pub tag: String,
    pub time_ms: i64,
    /// How old a cache's reply is, in seconds.
    pub age_secs: u64,
    pub body: Bytes,
    pub elements: Vec<Range<usize>>,
    /// The error that is served in its place.
    refusal: Option<&'static Refusal>,
}

/// What a poll gets.
pub(crate) enum Polled {
    Step(Arc<Served>),
    Refused(&'static Refusal),
    /// The client has the newest step.
    Known,
    /// There is no step at all (yet).
    Nothing,
}

/// The steps of a market, less what has arrived.
pub(crate) struct Feed {
    steps: Steps,
    position: Position,
    step: Step,
    body: Vec<u8>,
    speed: Speed,
    /// Says when a step's time has come, in place of the speed.
    clock: Option<Now>,
    /// The market goes by the clock: steps that nobody asked for in time are passed by.
    live: bool,
    /// When the first step was served, and its market time.
    began: Option<(Instant, i64)>,
    current: Option<Arc<Served>>,
    /// The error that came after the current step.
    refusal: Option<&'static Refusal>,
    /// Already made, so that a poll doesn't wait for it.
    next: Option<Arc<Served>>,
    pub steps_passed: u64,
    pub records_passed: u64,
    /// The last step has arrived at the client.
    pub finished: bool,
}

impl Feed {
    pub(crate) fn new(
        market: &Market,
        speed: Speed,
        clock: Option<Now>,
        position: Position,
    ) -> Result<Self, ReplayError> {
        let live = matches!(market, Market::Field(_));
        let (position, past) = match live {
            // What a client sends of the replies is its own matter, so nothing can be counted.
            true => (Position::start(), steps_past(market, &position)?),
            false => (position, 0),
        };
        let mut steps = market.steps()?;
        for _ in 0..past {
            steps.next_into(&mut Step::default())?;
        }
        let mut feed = Self {
            steps,
            records_passed: position.arrived(),
            position,
            step: Step::default(),
            body: Vec::new(),
            speed,
            clock,
            live,
            began: None,
            current: None,
            refusal: None,
            next: None,
            steps_passed: 0,
            finished: false,
        };
        let mut passed = past;
        feed.next = feed.make(&mut passed)?;
        feed.steps_passed = passed - u64::from(feed.next.is_some());
        feed.finished = feed.next.is_none();
        Ok(feed)
    }

    /// The next step with something that has not arrived yet; none at the end. Counts the steps it reads.
    fn make(&mut self, read: &mut u64) -> Result<Option<Arc<Served>>, ReplayError> {
        while self.steps.next_into(&mut self.step)? {
            *read += 1;
            let mut elements = Vec::with_capacity(self.step.len());
            self.position
                .pass(&self.step, &mut elements, &mut self.body)?;
            if elements.is_empty() && self.step.refusal.is_none() {
                continue;
            }
            // Part of a step has another tag than the whole.
            let tag = format!(
                "\"{}-{}-{}\"",
                self.step.time_ms,
                self.position.passed(),
                elements.len()
            );
            return Ok(Some(Arc::new(Served {
                tag,
                time_ms: self.step.time_ms,
                age_secs: self.step.age_secs,
                body: Bytes::copy_from_slice(&self.body),
                elements,
                refusal: self.step.refusal,
            })));
        }
        self.position.check_end()?;
        Ok(None)
    }

    /// Whether steps come and go though nobody asks for them.
    fn goes_by_clock(&self) -> bool {
        self.live && (self.clock.is_some() || matches!(self.speed, Speed::Times(_)))
    }

    fn due(&mut self, now: Instant) -> bool {
        let Some(next) = &self.next else { return false };
        if let Some(now) = &self.clock {
            let since = now().duration_since(UNIX_EPOCH).unwrap_or_default();
            return i128::from(next.time_ms) <= since.as_millis().cast_signed();
        }
        self.began.get_or_insert((now, next.time_ms));
        self.due_at().is_none_or(|due| now >= due)
    }

    /// When the next step is due, if that is known: not on a clock of the market's own, whose time may jump.
    pub(crate) fn due_at(&self) -> Option<Instant> {
        let (next, (began, first_ms)) = (self.next.as_ref()?, self.began?);
        let Speed::Times(times) = self.speed else {
            return None;
        };
        if self.clock.is_some() {
            return None;
        }
        let ahead_secs = (next.time_ms - first_ms) as f64 / 1_000.0 / times;
        Some(began + Duration::from_secs_f64(ahead_secs.clamp(0.0, FAR_AHEAD_SECS)))
    }

    /// What a request that names these tags gets now.
    pub(crate) fn poll(
        &mut self,
        known: impl Fn(&str) -> bool,
        now: Instant,
    ) -> Result<Polled, ReplayError> {
        let by_clock = self.goes_by_clock();
        let knows_newest = match &self.current {
            None => true,
            Some(current) => known(&current.tag),
        };
        // An error is over with the poll that got it, or when the clock says so.
        let arrived = knows_newest || by_clock || self.refusal.is_some();
        let due = arrived && self.due(now);
        if due {
            self.advance()?;
            while by_clock && self.due(now) {
                self.advance()?;
            }
        } else if arrived && self.next.is_none() {
            self.finished = true;
        }
        Ok(match (self.refusal, &self.current) {
            (Some(refusal), _) => Polled::Refused(refusal),
            (None, None) => Polled::Nothing,
            (None, Some(_)) if knows_newest && !due => Polled::Known,
            (None, Some(current)) => Polled::Step(current.clone()),
        })
    }

    fn advance(&mut self) -> Result<(), ReplayError> {
        let Some(next) = self.next.take() else {
            return Ok(());
        };
        self.steps_passed += 1;
        self.records_passed += next.elements.len() as u64;
        self.refusal = next.refusal;
        if next.refusal.is_none() {
            self.current = Some(next);
        }
        self.next = self.make(&mut 0)?;
        Ok(())
    }

    /// The market's time, and the error that everybody gets now.
    pub(crate) fn state(
        &mut self,
        now: Instant,
    ) -> Result<(i64, Option<&'static Refusal>), ReplayError> {
        if !self.goes_by_clock() {
            let step = self.current.as_ref().or(self.next.as_ref());
            return Ok((step.map_or(0, |step| step.time_ms), None));
        }
        while self.due(now) {
            self.advance()?;
        }
        let time_ms = match (&self.clock, self.began, self.speed) {
            (Some(now), ..) => {
                let since = now().duration_since(UNIX_EPOCH).unwrap_or_default();
                since.as_millis() as i64
            }
            (None, Some((began, first_ms)), Speed::Times(times)) => {
                let passed = now.saturating_duration_since(began);
                first_ms + (passed.as_secs_f64() * times * 1_000.0) as i64
            }
            _ => 0,
        };
        Ok((time_ms, self.refusal))
    }

    /// The step that further pages show more of.
    pub(crate) fn current(&self) -> Option<Arc<Served>> {
        self.current.clone()
    }
}
