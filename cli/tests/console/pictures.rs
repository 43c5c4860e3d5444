//! Each page and each of its states, light and dark, at three widths: a picture to look at, and what those need who cannot.

use serde_json::{Value, json};

use crate::accessible::Checker;
use crate::browser::Browser;

/// Screens: a laptop's, a tablet's, a phone's.
const SCREENS: [(u32, u32); 3] = [(1440, 900), (1024, 768), (390, 844)];

/// Name, address, and what is there once the page is.
type Page = (&'static str, &'static str, &'static str);

const PAGES: [Page; 15] = [
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
        "document.querySelector('.beside-runs') || [...document.querySelectorAll('.runs tbody tr')].find((row) => row.cells[2].textContent === 'finished' && row.querySelector('td a'))?.querySelector('td a').click()",
    ),
    (
        "topics",
        "#/data/topics",
        "document.querySelectorAll('.choices a').length > 4",
    ),
    (
        "lake",
        "#/data/lake",
        "document.querySelectorAll('.choices a').length > 4",
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

/// Pages with everything unfolded.
const UNFOLDED: [Page; 4] = [
    (
        "alerts-unfolded",
        "#/alerts?coin=bitcoin",
        "document.querySelector('.alert')",
    ),
    (
        "models-unfolded",
        "#/models",
        "document.querySelector('.pictures img')?.naturalWidth > 0",
    ),
    (
        "topic-unfolded",
        "#/data/topics/crypto-features",
        "document.querySelector('.records td.number')",
    ),
    (
        "layer-unfolded",
        "#/data/lake/features",
        "document.querySelector('.browse tbody a')",
    ),
];

const NOTHING: &str = "document.querySelector('main .nothing:not([hidden])') && !document.querySelector('main .nothing:not([hidden])').textContent.endsWith('…')";

/// Where there is nothing to show.
const EMPTY: [Page; 9] = [
    ("market-none", "#/market?find=nosuchcoin", NOTHING),
    ("watched-none", "#/market?show=watched", NOTHING),
    ("coin-unknown", "#/coin/nobody?minutes=60", NOTHING),
    ("alerts-none", "#/alerts?coin=nobody&minutes=60", NOTHING),
    ("run-unknown", "#/models/nosuchrun", NOTHING),
    ("page-unknown", "#/nosuchpage", NOTHING),
    ("topic-unknown", "#/data/topics/nosuchtopic", NOTHING),
    ("layer-unknown", "#/data/lake/nosuchlayer", NOTHING),
    (
        "file-unknown",
        "#/data/lake/features?path=nosuchfile",
        NOTHING,
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
    let unfold = "document.querySelectorAll('main details').forEach((it) => { it.open = true; })";
    let mut wrong = Vec::new();
    for (name, hash, ready) in PAGES.into_iter().chain(UNFOLDED).chain(EMPTY) {
        browser.go(hash).await;
        browser.until(ready).await;
        if name.ends_with("-unfolded") {
            browser.run(unfold).await;
        }
        wrong.extend(wrong_with(browser, name).await);
    }
    // Some of these were asked for, and refused.
    browser.forget_complaints().await;
    pictures_of_runs_suit_the_dark(browser).await;
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Looks at what is shown on every screen, in both themes.
pub(crate) async fn look(browser: &Browser, name: &str) {
    let wrong = wrong_with(browser, name).await;
    assert!(wrong.is_empty(), "{wrong:#?}");
}

async fn wrong_with(browser: &Browser, name: &str) -> Vec<String> {
    let checker = Checker::find();
    let mut wrong = Vec::new();
    for (width, height) in SCREENS {
        browser.size(width, height).await;
        for scheme in ["light", "dark"] {
            browser.colours(scheme).await;
            browser.next_frame().await;
            browser
                .long_screenshot(&format!("{name}-{scheme}-{width}"), width)
                .await;
            let page = format!("{name}, {scheme}, {width}");
            let is_wider = browser
                .run("return document.documentElement.scrollWidth > innerWidth")
                .await;
            if is_wider == true {
                wrong.push(format!("{page}: wider than the screen"));
            }
            wrong.extend(nameless_controls(browser, &page).await);
            if let Some(checker) = &checker {
                wrong.extend(checker.check(browser, &page).await);
            }
        }
    }
    browser.size(1280, 860).await;
    browser.colours("light").await;
    wrong
}

/// They are drawn on white, which would glare.
async fn pictures_of_runs_suit_the_dark(browser: &Browser) {
    browser.go("#/models").await;
    let picture = "document.querySelector('.pictures img')";
    browser.until(&format!("{picture}?.naturalWidth > 0")).await;
    for (scheme, is_turned) in [("dark", true), ("light", false)] {
        browser.colours(scheme).await;
        let filter = browser
            .run(&format!("return getComputedStyle({picture}).filter"))
            .await;
        let filter = filter.as_str().unwrap();
        assert_eq!(filter.contains("invert"), is_turned, "{scheme}: {filter}");
    }
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
    let mut wrong = Vec::new();
    if headings != 1 {
        wrong.push(format!("{page}: {headings} headings name it"));
    }
    let nameless = controls.into_iter().filter(|node| {
        let name = node["name"]["value"].as_str().unwrap_or_default();
        name.trim().is_empty()
    });
    wrong.extend(nameless.map(|node| format!("{page}: a {} has no name: {node}", role(node))));
    wrong
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
