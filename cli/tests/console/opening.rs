//! What it takes to open a page: bytes, requests, and the time until it can be used.

use std::fmt;

use serde_json::{Value, json};

use crate::browser::Browser;

/// A page as it was opened, without anything in the browser's cache.
#[derive(Debug)]
pub(crate) struct Opening {
    pub bytes: u64,
    pub requests: usize,
    /// How many of them were for its data.
    pub answers: usize,
    /// Where the time went, in milliseconds since the page was asked for.
    scripts_ms: f64,
    asked_ms: f64,
    answered_ms: f64,
    usable_ms: f64,
}

impl fmt::Display for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} bytes in {} requests, usable after {:.0} ms: scripts there at {:.0}, data asked for at {:.0} and there at {:.0}",
            self.bytes,
            self.requests,
            self.usable_ms,
            self.scripts_ms,
            self.asked_ms,
            self.answered_ms
        )
    }
}

/// Opens the page that is shown again; it is usable once an expression is true. `answer` is part of the address of its data.
pub(crate) async fn open_anew(browser: &Browser, usable: &str, answer: &str) -> Opening {
    let source = format!(
        "new MutationObserver((_, observer) => {{ \
         if (!({usable})) return; \
         observer.disconnect(); \
         requestAnimationFrame(() => window.usable = performance.now()); \
         }}).observe(document, {{ attributes: true, childList: true, subtree: true }})"
    );
    let added = browser
        .devtools(
            "Page.addScriptToEvaluateOnNewDocument",
            json!({ "source": source }),
        )
        .await;
    browser
        .devtools("Network.setCacheDisabled", json!({ "cacheDisabled": true }))
        .await;
    browser.run("delete window.usable; location.reload()").await;
    let usable_ms = browser.until("window.usable").await.as_f64().unwrap();
    browser
        .devtools("Page.removeScriptToEvaluateOnNewDocument", added)
        .await;
    let transfers = browser
        .run(
            "return [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]\
             .map(({ name, transferSize, requestStart, responseEnd }) => ({ name, transferSize, requestStart, responseEnd }))",
        )
        .await;
    let transfers = transfers.as_array().unwrap();
    let number = |transfer: &Value, of: &str| transfer[of].as_f64().unwrap();
    let name_of = |transfer: &Value| transfer["name"].as_str().unwrap().to_owned();
    let scripts = transfers
        .iter()
        .filter(|it| name_of(it).contains("/assets/"));
    let data: Vec<_> = (transfers.iter())
        .filter(|it| name_of(it).contains(answer))
        .collect();
    Opening {
        bytes: (transfers.iter())
            .filter_map(|it| it["transferSize"].as_u64())
            .sum(),
        requests: transfers.len(),
        answers: data.len(),
        scripts_ms: scripts.fold(0.0, |latest, it| number(it, "responseEnd").max(latest)),
        asked_ms: number(data[0], "requestStart"),
        answered_ms: number(data[0], "responseEnd"),
        usable_ms,
    }
}
