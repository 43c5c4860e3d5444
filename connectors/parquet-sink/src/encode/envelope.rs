//! The envelope of an output: the input it was made from, its destination, and its event time.
//!
//! Always true: the fields are found in any order. Modules write them first, so reading stops after a few bytes.

use sonic_rs::{JsonValueTrait, LazyValue};

use crate::config::StagePlan;

/// The field with the offset of the input an output was made from.
pub const SOURCE_OFFSET: &str = "source_offset";

/// Where an output goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// To the destination at this index.
    To(usize),
    /// Nowhere; it is only counted.
    Ignored,
    /// No destination takes this routing value.
    Unknown(String),
    /// The routing field is absent or null.
    Absent,
}

/// The fields that were found.
#[derive(Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The offset of the input record.
    pub source_offset: Option<i64>,
    /// The destination.
    pub route: Route,
}

/// Reads envelopes, as far as a stage needs them.
#[derive(Debug, Clone)]
pub struct EnvelopeReader {
    source_offset: bool,
    route_by: Option<String>,
    /// The bytes that modules write between `source_offset` and the routing value.
    route_prefix: Vec<u8>,
    /// Routing values with their routes.
    routes: Vec<(String, Route)>,
    time_field: Option<String>,
}

impl EnvelopeReader {
    /// Reads the fields that this stage needs.
    pub fn new(plan: &StagePlan) -> Self {
        let to = plan.destinations.iter().enumerate();
        let to = to.filter_map(|(i, to)| Some((to.when.clone()?, Route::To(i))));
        let ignored = plan
            .ignore
            .iter()
            .map(|when| (when.clone(), Route::Ignored));
        Self::looking_for(
            plan.drops_duplicates() || !plan.transforms.is_empty(),
            plan.route_by.clone(),
            to.chain(ignored).collect(),
            plan.state.as_ref().map(|state| state.time_field.clone()),
        )
    }

    fn looking_for(
        source_offset: bool,
        route_by: Option<String>,
        routes: Vec<(String, Route)>,
        time_field: Option<String>,
    ) -> Self {
        let field = route_by.as_deref().unwrap_or_default();
        Self {
            route_prefix: format!(r#","{field}":""#).into_bytes(),
            source_offset,
            route_by,
            routes,
            time_field,
        }
    }

    /// Reads an output's envelope.
    ///
    /// # Errors
    /// A phrase, when the output is not a JSON object.
    pub fn read(&self, value: &[u8]) -> Result<Envelope, String> {
        if self.source_offset
            && self.route_by.is_some()
            && let Some(envelope) = self.read_head(value)
        {
            return Ok(envelope);
        }
        let mut envelope = Envelope {
            source_offset: None,
            route: match self.route_by {
                Some(_) => Route::Absent,
                None => Route::To(0),
            },
        };
        let mut missing = usize::from(self.source_offset) + usize::from(self.route_by.is_some());
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

    /// Reads the bytes that modules write first, without a JSON parser; `None` when they differ in any way.
    fn read_head(&self, value: &[u8]) -> Option<Envelope> {
        let rest = value.strip_prefix(br#"{"source_offset":"#)?;
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (offset, rest) = rest.split_at(digits);
        let rest = rest.strip_prefix(self.route_prefix.as_slice())?;
        // A value with an escape matches no route here; the parser then reads it.
        let (_, route) = self.routes.iter().find(|(when, _)| {
            let rest = rest.strip_prefix(when.as_bytes());
            rest.is_some_and(|rest| rest.starts_with(b"\""))
        })?;
        Some(Envelope {
            source_offset: Some(std::str::from_utf8(offset).ok()?.parse().ok()?),
            route: route.clone(),
        })
    }

    /// The event time of an output, in milliseconds since the epoch, if the stage needs it and the output has one.
    pub fn time_ms(&self, value: &[u8]) -> Option<i64> {
        let time = self.time_field.as_deref()?;
        let mut fields = sonic_rs::to_object_iter(value);
        let (_, value) = fields.find_map(|field| field.ok().filter(|(name, _)| name == time))?;
        integer(&value)
    }

    fn route(&self, value: &LazyValue<'_>) -> Route {
        if value.is_null() {
            return Route::Absent;
        }
        // A number or a boolean routes by its text.
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
/// A phrase, when the record is not a JSON object or has no integer `source_offset`.
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
        let routes = vec![
            ("accepted".to_owned(), Route::To(0)),
            ("rejected".to_owned(), Route::To(1)),
            ("none".to_owned(), Route::Ignored),
        ];
        let (route_by, time) = ("status".to_owned(), "event_time".to_owned());
        EnvelopeReader::looking_for(true, Some(route_by), routes, Some(time))
    }

    #[track_caller]
    fn check(value: &str, source_offset: Option<i64>, route: Route, time_ms: Option<i64>) {
        let expected = Envelope {
            source_offset,
            route,
        };
        assert_eq!(reader().read(value.as_bytes()), Ok(expected));
        assert_eq!(reader().time_ms(value.as_bytes()), time_ms);
    }

    #[test]
    fn finds_the_fields_in_any_order() {
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
    fn reads_module_outputs_without_a_parser() {
        let reader = reader();
        let head = |value: &str| reader.read_head(value.as_bytes());
        let expected = Envelope {
            source_offset: Some(17),
            route: Route::To(1),
        };
        assert_eq!(
            head(r#"{"source_offset":17,"status":"rejected","coin""#),
            Some(expected)
        );
        for other in [
            r#"{"source_offset":17,"status":"rejec"#,
            r#"{"source_offset":17,"status":"reject\u0065d"}"#,
            r#"{"source_offset":17,"status":"rejected2"}"#,
            r#"{"source_offset":,"status":"rejected"}"#,
            r#"{"source_offset":17.5,"status":"rejected"}"#,
            r#"{"source_offset":99999999999999999999,"status":"rejected"}"#,
            r#"{"source_offset":17,"state":"rejected"}"#,
        ] {
            assert_eq!(head(other), None, "{other}");
        }
        check(
            r#"{"source_offset":17,"status":"reject\u0065d"}"#,
            Some(17),
            Route::To(1),
            None,
        );
    }

    #[test]
    fn reports_absent_fields() {
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
    fn anything_but_an_object_is_refused() {
        for value in ["", "[1]", "7", "{\"a\"", "\u{0}"] {
            assert!(reader().read(value.as_bytes()).is_err(), "{value}");
        }
    }

    #[test]
    fn finds_the_source_offset_of_a_derived_record() {
        assert_eq!(source_offset(br#"{"a": 1, "source_offset": 41}"#), Ok(41));
        assert!(
            source_offset(br#"{"a": 1}"#)
                .unwrap_err()
                .contains("source_offset")
        );
    }
}
