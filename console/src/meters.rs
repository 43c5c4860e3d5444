//! The console's Prometheus metrics: every name and label is here.

use std::time::Instant;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use metrics::{
    Counter, Gauge, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge,
    histogram,
};

/// Counts requests by status, and measures the time until the answer begins.
pub(crate) async fn measure(request: Request, next: Next) -> Response {
    let started = Instant::now();
    let response = next.run(request).await;
    let code = response.status().as_str().to_owned();
    counter!("coinlake_console_requests_total", "code" => code).increment(1);
    histogram!("coinlake_console_request_seconds").record(started.elapsed());
    response
}

/// Records of a topic that the console has taken in.
pub(crate) fn records(topic: &str) -> Counter {
    counter!("coinlake_console_records_total", "topic" => topic.to_owned())
}

/// How far a part of what a model in production sees has drifted: an input, or `scores`.
pub(crate) fn drift(model: &str, part: &str) -> Gauge {
    gauge!("coinlake_model_drift_psi", "model" => model.to_owned(), "of" => part.to_owned())
}

/// Counts as an open page until dropped.
pub(crate) struct OpenPage(Gauge);

impl OpenPage {
    pub(crate) fn new() -> Self {
        let pages = pages();
        pages.increment(1.0);
        Self(pages)
    }
}

impl Drop for OpenPage {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}

fn pages() -> Gauge {
    gauge!("coinlake_console_open_pages")
}

/// Describes every metric, and creates those that have no value yet.
pub(crate) fn describe() {
    describe_counter!(
        "coinlake_console_requests_total",
        "Requests answered, by status code"
    );
    describe_histogram!(
        "coinlake_console_request_seconds",
        Unit::Seconds,
        "Time from a request to the start of its answer"
    );
    describe_counter!(
        "coinlake_console_records_total",
        "Records taken in, by topic"
    );
    describe_gauge!(
        "coinlake_console_open_pages",
        "Pages with a stream of live updates"
    );
    describe_gauge!(
        "coinlake_model_drift_psi",
        "Population stability index of the lake's last day against the training data of the model in production"
    );
    for code in ["200", "502"] {
        counter!("coinlake_console_requests_total", "code" => code).increment(0);
    }
    // Asking for a histogram creates it.
    let _ = histogram!("coinlake_console_request_seconds");
    pages().increment(0.0);
}
