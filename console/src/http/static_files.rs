//! The page's files, compiled in: the console needs no files beside it and loads nothing from the network.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use crate::api::error::ApiError;
use crate::shared::Shared;

macro_rules! include_files {
    ($($path:literal),* $(,)?) => {
        [$(($path, include_str!(concat!("../../assets/", $path)))),*]
    };
}

/// Contents by path.
const FILES: [(&str, &str); 49] = include_files![
    "app.css",
    "js/alerts.js",
    "js/alerts/alert.js",
    "js/alerts/bars.js",
    "js/alerts/episode.js",
    "js/alerts/range.js",
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

/// The page, which loads everything else.
pub(crate) async fn index(State(shared): State<Arc<Shared>>) -> Response {
    let currency = shared.currency.get().map_or("", String::as_str);
    let is_code = currency.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let currency = if is_code { currency } else { "" };
    let page = INDEX.replace(CURRENCY, &currency.to_ascii_uppercase());
    ([(CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response()
}

/// The icon, which browsers ask for unasked.
pub(crate) async fn icon() -> Response {
    ([(CONTENT_TYPE, "image/svg+xml")], ICON).into_response()
}

/// A script or style of the page.
pub(crate) async fn file(Path(path): Path<String>) -> Response {
    let Some((_, text)) = FILES.iter().find(|(name, _)| *name == path) else {
        return ApiError::not_found(format!("the console has no file {path}")).into_response();
    };
    let kind = match path.rsplit_once('.') {
        Some((_, "css")) => "text/css; charset=utf-8",
        _ => "text/javascript; charset=utf-8",
    };
    ([(CONTENT_TYPE, kind)], *text).into_response()
}
