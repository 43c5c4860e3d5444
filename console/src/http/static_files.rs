//! The page's files, compiled in: the console needs no files beside it and loads nothing from the network.

use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::sync::{Arc, LazyLock};

use axum::extract::{Path, State};
use axum::http::header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::api::error::ApiError;
use crate::shared::Shared;

macro_rules! include_files {
    ($($path:literal),* $(,)?) => {
        [$(($path, include_str!(concat!("../../assets/", $path)))),*]
    };
}

/// Contents by path.
const FILES: [(&str, &str); 50] = include_files![
    "app.css",
    "js/alerts.js",
    "js/alerts/alert.js",
    "js/alerts/bars.js",
    "js/alerts/episode.js",
    "js/alerts/range.js",
    "js/alerts/reading.js",
    "js/alerts/rules.js",
    "js/alerts/why.js",
    "js/app.js",
    "js/chart/address.js",
    "js/chart/candles.js",
    "js/chart/chart.js",
    "js/chart/comparison.js",
    "js/chart/controls.js",
    "js/chart/detail.js",
    "js/chart/lines.js",
    "js/chart/marks.js",
    "js/chart/outlooks.js",
    "js/chart/panes.js",
    "js/chart/plot.js",
    "js/chart/summary.js",
    "js/coin.js",
    "js/csv.js",
    "js/data.js",
    "js/data/copy.js",
    "js/data/lake.js",
    "js/data/records.js",
    "js/data/rows.js",
    "js/data/tail.js",
    "js/data/topics.js",
    "js/dom.js",
    "js/format.js",
    "js/line.js",
    "js/live.js",
    "js/market.js",
    "js/market/columns.js",
    "js/market/watchlist.js",
    "js/models.js",
    "js/models/beside.js",
    "js/models/over.js",
    "js/models/verdict.js",
    "js/pipeline.js",
    "js/pipeline/hour.js",
    "js/source.js",
    "js/spark.js",
    "js/table.js",
    "js/theme.js",
    "vendor/uPlot.iife.min.js",
    "vendor/uPlot.min.css",
];

const INDEX: &str = include_str!("../../assets/index.html");
const ICON: &str = include_str!("../../assets/icon.svg");

/// Where the page has the currency.
const CURRENCY: &str = "{currency}";
/// Where it has the folder of its files, and links to all its modules.
const BUILD: &str = "{build}";
const MODULES: &str = "{modules}";

/// The name of these files, all together: browsers keep them under it.
static FILES_NAME: LazyLock<String> = LazyLock::new(|| {
    let mut hasher = DefaultHasher::new();
    FILES.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
});

/// The files compressed, once and well.
static COMPRESSED: LazyLock<[Bytes; FILES.len()]> = LazyLock::new(|| {
    FILES.map(|(_, text)| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        let written = encoder.write_all(text.as_bytes());
        let compressed = written.and_then(|()| encoder.finish());
        compressed.expect("a Vec takes everything").into()
    })
});

/// The page: it names every module, so that a browser asks for all of them at once and not for one after the other.
static PAGE: LazyLock<String> = LazyLock::new(|| {
    let mut modules = String::new();
    for (path, _) in FILES {
        // The entry module is there already, and `theme.js` is no module.
        if path.starts_with("js/") && !["js/app.js", "js/theme.js"].contains(&path) {
            let _ = writeln!(
                modules,
                r#"<link rel="modulepreload" href="assets/{BUILD}/{path}">"#
            );
        }
    }
    let page = INDEX.replace(MODULES, modules.trim_end());
    page.replace(BUILD, &FILES_NAME)
});

/// The page, which loads everything else.
pub(crate) async fn index(State(shared): State<Arc<Shared>>) -> Response {
    let currency = shared.currency.get().map_or("", String::as_str);
    let is_code = currency.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let currency = if is_code { currency } else { "" };
    let page = PAGE.replace(CURRENCY, &currency.to_ascii_uppercase());
    ([(CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response()
}

/// The icon, which browsers ask for unasked.
pub(crate) async fn icon() -> Response {
    ([(CONTENT_TYPE, "image/svg+xml")], ICON).into_response()
}

/// A script or style of the page.
pub(crate) async fn file(
    Path((build, path)): Path<(String, String)>,
    asked: HeaderMap,
) -> Response {
    let Some(place) = FILES.iter().position(|(name, _)| *name == path) else {
        return ApiError::not_found(format!("the console has no file {path}")).into_response();
    };
    let kind = match path.rsplit_once('.') {
        Some((_, "css")) => "text/css; charset=utf-8",
        _ => "text/javascript; charset=utf-8",
    };
    let encodings = asked
        .get(ACCEPT_ENCODING)
        .and_then(|value| value.to_str().ok());
    let mut response = if encodings.is_some_and(|encodings| encodings.contains("gzip")) {
        ([(CONTENT_ENCODING, "gzip")], COMPRESSED[place].clone()).into_response()
    } else {
        FILES[place].1.into_response()
    };
    let headers = response.headers_mut();
    let mut set = |name, value| headers.insert(name, HeaderValue::from_static(value));
    set(CONTENT_TYPE, kind);
    set(VARY, "accept-encoding");
    // A page of another release asks by another name.
    if build == *FILES_NAME {
        set(CACHE_CONTROL, "public, max-age=31536000, immutable");
    }
    response
}
