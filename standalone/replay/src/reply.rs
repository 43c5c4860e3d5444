//! One reply of `/coins/markets`: which coins of a step, in which order, with how many digits.

use axum::body::Body;
use axum::http::{Response, StatusCode, header};
use bytes::Bytes;

use crate::feed::Served;
use crate::field::{self, FieldMarket};
use crate::refusal::Refusal;
use crate::step::STEP_RECORDS_MAX;

/// The parameters that are honoured; others are ignored, as CoinGecko does.
///
/// `order`, `category` and `precision` are honoured by the field market only: the objects of a recording are served as
/// they are.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub(crate) struct MarketsQuery {
    pub vs_currency: Option<String>,
    pub ids: Option<String>,
    pub per_page: Option<usize>,
    pub page: Option<usize>,
    order: Option<String>,
    category: Option<String>,
    precision: Option<String>,
}

/// The parameters of a chart.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub(crate) struct ChartQuery {
    pub vs_currency: Option<String>,
    days: Option<String>,
}

impl ChartQuery {
    /// How many days the chart is of.
    ///
    /// # Errors
    /// What CoinGecko says where it cannot be that many.
    pub(crate) fn days(&self) -> Result<f64, &'static Refusal> {
        let days = self.days.as_deref().ok_or(&Refusal::NO_DAYS)?;
        match days.parse::<f64>() {
            Ok(days) if (0.0..=365.0).contains(&days) => Ok(days),
            Err(_) if days != "max" => Err(&Refusal::NO_DAYS),
            _ => Err(&Refusal::TOO_FAR_BACK),
        }
    }
}

/// What a filter or an order asks about a coin.
#[derive(serde::Deserialize)]
struct Key<'a> {
    #[serde(borrow)]
    id: std::borrow::Cow<'a, str>,
    #[serde(default)]
    market_cap: Option<f64>,
    #[serde(default)]
    total_volume: Option<f64>,
}

/// The page and the coins that were asked for: the whole body, untouched, where that is everything.
pub(crate) fn select(step: &Served, query: &MarketsQuery, field: Option<&FieldMarket>) -> Bytes {
    let per_page = query.per_page.unwrap_or(100).clamp(1, STEP_RECORDS_MAX);
    let first = (query.page.unwrap_or(1).max(1) - 1).saturating_mul(per_page);
    let whole = query.ids.is_none() && first == 0 && step.elements.len() <= per_page;
    if whole && field.is_none() {
        return step.body.clone();
    }
    let mut elements: Vec<&[u8]> = step
        .elements
        .iter()
        .map(|range| &step.body[range.clone()])
        .collect();
    if let Some(ids) = &query.ids {
        let ids: Vec<&str> = ids.split(',').map(str::trim).collect();
        elements.retain(|element| key(element).is_some_and(|key| ids.contains(&&*key.id)));
    }
    if let Some(field) = field {
        if let Some(category) = &query.category {
            let inside =
                |element: &&[u8]| key(element).is_some_and(|key| field.is_in(&key.id, category));
            elements.retain(inside);
        }
        sort(&mut elements, query.order.as_deref());
    }
    let mut body = vec![b'['];
    for element in elements.into_iter().skip(first).take(per_page) {
        if body.len() > 1 {
            body.push(b',');
        }
        match (field, query.precision.as_deref()) {
            (None, _) | (Some(_), Some("full")) => body.extend_from_slice(element),
            (Some(_), precision) => {
                let decimals = precision.and_then(|digits| digits.parse().ok());
                field::digits::rounded(element, decimals, &mut body);
            }
        }
    }
    body.push(b']');
    body.into()
}

fn key(element: &[u8]) -> Option<Key<'_>> {
    serde_json::from_slice(element).ok()
}

/// By falling market cap, as the elements lie, unless asked otherwise; an unknown order changes nothing.
fn sort(elements: &mut [&[u8]], order: Option<&str>) {
    let number = |value: Option<f64>| std::cmp::Reverse(value.unwrap_or(0.0).to_bits());
    let volume = |element: &&[u8]| number(key(element).and_then(|key| key.total_volume));
    let cap = |element: &&[u8]| number(key(element).and_then(|key| key.market_cap));
    let id = |element: &&[u8]| key(element).map(|key| key.id.into_owned());
    match order {
        Some("market_cap_asc") => {
            elements.sort_by_cached_key(cap);
            elements.reverse();
        }
        Some("volume_desc") => elements.sort_by_cached_key(volume),
        Some("volume_asc") => {
            elements.sort_by_cached_key(volume);
            elements.reverse();
        }
        Some("id_asc") => elements.sort_by_cached_key(id),
        Some("id_desc") => {
            elements.sort_by_cached_key(id);
            elements.reverse();
        }
        _ => {}
    }
}

/// Weak comparison, as `If-None-Match` asks for.
pub(crate) fn same_tag(given: &str, tag: &str) -> bool {
    let given = given.trim();
    given.strip_prefix("W/").unwrap_or(given) == tag
}

pub(crate) fn json_reply(status: StatusCode, tag: Option<&str>, body: Bytes) -> Response<Body> {
    let mut reply = Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, "application/json; charset=utf-8");
    if let Some(tag) = tag {
        reply = reply.header(header::ETAG, tag);
    }
    reply
        .body(Body::from(body))
        .expect("these headers are always valid")
}

/// A list with the headers that CoinGecko's cache gives it.
pub(crate) fn cached_reply(step: &Served, body: Bytes) -> Response<Body> {
    let mut reply = json_reply(StatusCode::OK, Some(&format!("W/{}", step.tag)), body);
    let headers = reply.headers_mut();
    let control = "max-age=30, public, must-revalidate, s-maxage=60";
    headers.insert(header::CACHE_CONTROL, control.parse().expect("a literal"));
    headers.insert(header::AGE, step.age_secs.into());
    headers.insert(header::SERVER, "cloudflare".parse().expect("a literal"));
    reply
}

/// The error for a request in another currency than the replay's, or in none.
pub(crate) fn other_currency(currency: Option<&str>) -> Option<Response<Body>> {
    match currency {
        Some("usd") => None,
        Some(_) => {
            let body = br#"{"error":"invalid vs_currency: a replay knows usd only"}"#;
            let body = Bytes::from_static(body);
            Some(json_reply(StatusCode::BAD_REQUEST, None, body))
        }
        None => Some(refusal_reply(&Refusal::NO_CURRENCY)),
    }
}

pub(crate) fn refusal_reply(refusal: &Refusal) -> Response<Body> {
    let mut reply = Response::builder()
        .status(refusal.status)
        .header(header::SERVER, "cloudflare");
    for (name, value) in refusal.headers {
        reply = reply.header(*name, *value);
    }
    reply
        .body(Body::from(refusal.body))
        .expect("recorded headers are valid")
}
