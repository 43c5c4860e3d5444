//! The page's files, compiled in: a console needs nothing beside it and nobody's network.

use axum::extract::Path;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use crate::answer::not_found;

macro_rules! assets {
    ($($path:literal),* $(,)?) => {
        [$(($path, include_str!(concat!("../assets/", $path)))),*]
    };
}

/// By path.
const ASSETS: [(&str, &str); 16] = assets![
    "app.css",
    "js/alerts.js",
    "js/app.js",
    "js/chart.js",
    "js/coin.js",
    "js/data.js",
    "js/dom.js",
    "js/format.js",
    "js/live.js",
    "js/market.js",
    "js/models.js",
    "js/pipeline.js",
    "js/spark.js",
    "js/theme.js",
    "vendor/uPlot.iife.min.js",
    "vendor/uPlot.min.css",
];

const INDEX: &str = include_str!("../assets/index.html");
const ICON: &str = include_str!("../assets/icon.svg");

/// The page.
pub(crate) async fn index() -> Response {
    ([(CONTENT_TYPE, "text/html; charset=utf-8")], INDEX).into_response()
}

/// What browsers ask for by themselves.
pub(crate) async fn icon() -> Response {
    ([(CONTENT_TYPE, "image/svg+xml")], ICON).into_response()
}

/// One of the page's files.
pub(crate) async fn asset(Path(path): Path<String>) -> Response {
    let Some((_, text)) = ASSETS.iter().find(|(name, _)| *name == path) else {
        return not_found("there is no such file").into_response();
    };
    let kind = match path.rsplit_once('.') {
        Some((_, "css")) => "text/css; charset=utf-8",
        _ => "text/javascript; charset=utf-8",
    };
    ([(CONTENT_TYPE, kind)], *text).into_response()
}
