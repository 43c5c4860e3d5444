//! What a stage must know of an output before it becomes a row: which input it was made from, where it goes, its time.
//!
//! Always true: modules write these fields first, so reading stops after a few; but any order is understood.

use sonic_rs::{JsonValueTrait, LazyValue};

use crate::plan::StagePlan;

/// The field with the offset of the input an output was made from.
pub const SOURCE_OFFSET: &str = "source_offset";

/// Where an output goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// To the destination of this index.
    To(usize),
    /// Nowhere: it is counted.
    Ignored,
    /// No destination takes this value.
    Unknown(String),
    /// The routing field is absent or null.
    Absent,
}

/// What was found.
#[derive(Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The offset of the input record.
    pub source_offset: Option<i64>,
    /// Where it goes.
    pub route: Route,
    /// The event time, milliseconds since the epoch.
    pub time_ms: Option<i64>,
}

/// Reads envelopes.
#[derive(Debug, Clone)]
pub struct EnvelopeReader {
    source_offset: bool,
    route_by: Option<String>,
    /// By routing value.
    routes: Vec<(String, Route)>,
    time: Option<String>,
}

impl EnvelopeReader {
    /// Looks for what this stage needs.
    pub fn new(plan: &StagePlan) -> Self {
        let to = plan.destinations.iter().enumerate();
        let to = to.filter_map(|(i, d)| Some((d.when.clone()?, Route::To(i))));
        let ignored = plan
            .ignore
            .iter()
            .map(|when| (when.clone(), Route::Ignored));
        Self {
            source_offset: !plan.transforms.is_empty(),
            route_by: plan.route_by.clone(),
            routes: to.chain(ignored).collect(),
            time: plan.state.as_ref().map(|state| state.time_field.clone()),
        }
    }

    /// Finds the fields in an output.
    ///
    /// # Errors
    /// A phrase, when it is no JSON object.
    pub fn read(&self, value: &[u8]) -> Result<Envelope, String> {
        let route = match self.route_by {
            Some(_) => Route::Absent,
            None => Route::To(0),
        };
        let mut envelope = Envelope {
            source_offset: None,
            route,
            time_ms: None,
        };
        let mut missing = usize::from(self.source_offset)
            + usize::from(self.route_by.is_some())
            + usize::from(self.time.is_some());
        if missing == 0 {
            return Ok(envelope);
        }
        for field in sonic_rs::to_object_iter(value) {
            let (name, value) = field.map_err(|_| not_an_object())?;
            let name = name.as_ref();
            if self.source_offset && name == SOURCE_OFFSET {
                envelope.source_offset = integer(&value);
            } else if self.route_by.as_deref() == Some(name) {
                envelope.route = self.route(&value);
            } else if self.time.as_deref() == Some(name) {
                envelope.time_ms = integer(&value);
            } else {
                continue;
            }
            missing -= 1;
            if missing == 0 {
                break;
            }
        }
        Ok(envelope)
    }

    fn route(&self, value: &LazyValue<'_>) -> Route {
        if value.is_null() {
            return Route::Absent;
        }
        // A number or a boolean routes by how it is written.
        let text = value.as_str().unwrap_or_else(|| value.as_raw_str());
        match self.routes.iter().find(|(when, _)| when == text) {
            Some((_, route)) => route.clone(),
            None => Route::Unknown(text.to_owned()),
        }
    }
}

/// The offset of the input that a record of a derived topic was made from.
///
/// # Errors
/// A phrase, when it carries none.
pub fn source_offset(value: &[u8]) -> Result<i64, String> {
    for field in sonic_rs::to_object_iter(value) {
        let (name, value) = field.map_err(|_| not_an_object())?;
        if name == SOURCE_OFFSET
            && let Some(offset) = integer(&value)
        {
            return Ok(offset);
        }
    }
    Err(format!("it has no `{SOURCE_OFFSET}`"))
}

fn not_an_object() -> String {
    "it is not a JSON object".to_owned()
}

fn integer(value: &LazyValue<'_>) -> Option<i64> {
    value.as_raw_str().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader() -> EnvelopeReader {
        EnvelopeReader {
            source_offset: true,
            route_by: Some("status".to_owned()),
            routes: vec![
                ("accepted".to_owned(), Route::To(0)),
                ("rejected".to_owned(), Route::To(1)),
                ("none".to_owned(), Route::Ignored),
            ],
            time: Some("event_time".to_owned()),
        }
    }

    #[track_caller]
    fn check(value: &str, source_offset: Option<i64>, route: Route, time_ms: Option<i64>) {
        let expected = Envelope {
            source_offset,
            route,
            time_ms,
        };
        assert_eq!(reader().read(value.as_bytes()), Ok(expected));
    }

    #[test]
    fn finds_its_fields_in_any_order() {
        check(
            r#"{"source_offset": 9, "status": "accepted", "coin": "a", "event_time": 5, "rest": "#,
            Some(9),
            Route::To(0),
            Some(5),
        );
        check(
            r#"{"event_time": -5, "x": {"status": "none"}, "status": "rejected", "source_offset": 0}"#,
            Some(0),
            Route::To(1),
            Some(-5),
        );
        check(
            r#"{"source_offset":1,"status":"none"}"#,
            Some(1),
            Route::Ignored,
            None,
        );
    }

    #[test]
    fn says_what_is_not_there() {
        check("{}", None, Route::Absent, None);
        check(
            r#"{"source_offset": "1", "status": null, "event_time": 1.5}"#,
            None,
            Route::Absent,
            None,
        );
        check(
            r#"{"status": true}"#,
            None,
            Route::Unknown("true".to_owned()),
            None,
        );
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for value in ["", "[1]", "7", "{\"a\"", "\u{0}"] {
            assert!(reader().read(value.as_bytes()).is_err(), "{value}");
        }
    }

    #[test]
    fn a_derived_record_says_what_it_was_made_from() {
        assert_eq!(source_offset(br#"{"a": 1, "source_offset": 41}"#), Ok(41));
        assert!(
            source_offset(br#"{"a": 1}"#)
                .unwrap_err()
                .contains("source_offset")
        );
    }
}
