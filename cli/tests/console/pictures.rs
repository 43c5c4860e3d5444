//! Each page, light and dark, wide and narrow: a picture to look at, and what those need who cannot.

use serde_json::{Value, json};

use crate::accessible::Checker;
use crate::browser::Browser;

/// Name, address, and what is there once the page is.
const PAGES: [(&str, &str, &str); 13] = [
    (
        "market",
        "#/market",
        "document.querySelectorAll('.market tbody tr').length > 9",
    ),
    (
        "chart",
        "#/coin/bitcoin?minutes=1440",
        "document.querySelector('.chart canvas')",
    ),
    (
        "candles",
        "#/coin/bitcoin?minutes=1440&as=candles",
        "document.querySelector('.chart canvas')",
    ),
    (
        "comparison",
        "#/coin/bitcoin?minutes=1440&with=ethereum",
        "document.querySelector('.chart canvas')",
    ),
    ("alerts", "#/alerts", "document.querySelector('.alert')"),
    (
        "alerts-past",
        "#/alerts?minutes=10080",
        "document.querySelector('.alert') && document.querySelector('.bars .full')",
    ),
    (
        "pipeline",
        "#/pipeline",
        "document.querySelector('.card.layer .faint')?.textContent",
    ),
    (
        "data",
        "#/data/topics/crypto-features",
        "document.querySelector('.records td.number')",
    ),
    (
        "tail",
        "#/data/topics/crypto-features?follow=1&key=solana",
        "document.querySelector('.records td.number')",
    ),
    (
        "models",
        "#/models",
        "document.querySelector('.pictures img')?.naturalWidth > 0",
    ),
    (
        "models-beside",
        "#/models",
        "document.querySelector('.runs td a')?.click() || document.querySelector('.beside-runs')",
    ),
    (
        "layer",
        "#/data/lake/features",
        "document.querySelector('.browse tbody a')",
    ),
    (
        "rows",
        "#/data/lake/alerts",
        "document.querySelector('.rows') || (location.hash === '#/data/lake/alerts' && document.querySelector('.browse tbody a')?.click())",
    ),
];

/// What people can do something with, as browsers tell screen readers.
const CONTROLS: [&str; 9] = [
    "button",
    "combobox",
    "image",
    "img",
    "link",
    "searchbox",
    "spinbutton",
    "textbox",
    "heading",
];

pub(crate) async fn take_pictures(browser: &Browser) {
    let checker = Checker::find();
    let mut wrong = Vec::new();
    for (scheme, width, height) in [
        ("light", 1440, 900),
        ("dark", 1440, 900),
        ("light", 390, 844),
        ("dark", 390, 844),
    ] {
        browser.size(width, height).await;
        browser.colours(scheme).await;
        for (name, hash, ready) in PAGES {
            browser.go(hash).await;
            browser.until(ready).await;
            take_picture(browser, name, scheme, width).await;
            wrong.extend(nameless_controls(browser, name).await);
            if let Some(checker) = &checker {
                let page = format!("{name}, {scheme}, {width}");
                wrong.extend(checker.check(browser, &page).await);
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A page as it is. It must not be wider than the screen.
pub(crate) async fn take_picture(browser: &Browser, name: &str, scheme: &str, width: u32) {
    browser.next_frame().await;
    browser
        .screenshot(&format!("{name}-{scheme}-{width}"))
        .await;
    let wider = browser
        .run("return document.documentElement.scrollWidth > innerWidth")
        .await;
    assert_eq!(wider, false, "{name} is wider than a screen of {width}");
}

/// The market, and the pipeline once every stage has committed, while records flow through all of it.
pub(crate) async fn take_pictures_for_the_readme(browser: &Browser) {
    browser.size(1280, 860).await;
    browser.colours("light").await;
    browser.go("#/pipeline").await;
    browser
        .until(
            "[...document.querySelectorAll('.card.layer .faint')].filter((text) => \
             text.textContent && !text.textContent.startsWith('0 files')).length === 6",
        )
        .await;
    browser.picture_for_readme("pipeline").await;
    browser.size(1440, 968).await;
    browser.go("#/market").await;
    browser
        .until("document.querySelector('.market tbody tr td:nth-child(10) data')?.value")
        .await;
    browser.picture_for_readme("market").await;
    browser.size(1280, 860).await;
}

/// Buttons, fields, links and pictures that a screen reader could not call by a name; and a page has one heading that
/// names it.
async fn nameless_controls(browser: &Browser, page: &str) -> Vec<String> {
    let tree = browser
        .devtools("Accessibility.getFullAXTree", json!({}))
        .await;
    let role = |node: &Value| {
        node["role"]["value"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    let nodes = tree["nodes"].as_array().unwrap();
    let controls: Vec<_> = nodes
        .iter()
        .filter(|node| node["ignored"] != true && CONTROLS.contains(&role(node).as_str()))
        .collect();
    assert!(controls.len() > 8, "{page}: {} controls", controls.len());
    let headings = browser
        .run("return document.querySelectorAll('h1').length")
        .await;
    assert_eq!(headings, 1, "{page}");
    let nameless = controls.into_iter().filter(|node| {
        let name = node["name"]["value"].as_str().unwrap_or_default();
        name.trim().is_empty()
    });
    nameless
        .map(|node| format!("{page}: a {} has no name: {node}", role(node)))
        .collect()
}

/// A chart without a mouse: the arrow keys move along it, and what they reach is told.
pub(crate) async fn walk_along_the_chart(browser: &Browser) {
    browser.go("#/coin/bitcoin?minutes=60").await;
    browser
        .until("document.querySelector('.chart canvas')")
        .await;
    browser
        .run("document.querySelector('.chart').focus()")
        .await;
    let mut told = Vec::new();
    for _ in 0..2 {
        browser.press("ArrowLeft").await;
        let before = told.last().cloned().unwrap_or(Value::Null);
        let text = "document.querySelector('.unseen[aria-live]').textContent";
        told.push(
            browser
                .until(&format!("{text} !== ({before} ?? '') && {text}"))
                .await,
        );
    }
    assert_ne!(told[0], told[1], "a step further back");

    // Whoever comes to a page by keyboard goes on from its beginning, not from the tabs.
    browser
        .run("document.querySelector('.tabs a[href=\"#/alerts\"]').click()")
        .await;
    browser.until("document.querySelector('.alert')").await;
    browser.press("Tab").await;
    let first = browser.run("return document.activeElement.id").await;
    assert_eq!(first, "alert-coin");
}
