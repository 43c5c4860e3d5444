//! The Alerts page: the newest alerts, an episode a line.

use std::collections::BTreeMap;
use std::path::Path;

use connector_runtime::cluster::Client;
use fixtures::patience::eventually;
use serde_json::{Value, json};

use crate::browser::Browser;
use crate::pictures::look;
use crate::platform::values;

/// The page holds as many of the newest alerts.
const HELD_MAX: usize = 1_000;
/// Alerts that follow each other within this time are of one episode.
const APART_MS_MAX: i64 = 15 * 60_000;
const SEVERITIES: [&str; 3] = ["info", "warning", "critical"];

/// What the page says of each episode.
const SHOWN: &str = "[...document.querySelectorAll('.alert')].map(({ dataset }) => \
     [dataset.coin, dataset.subject, Number(dataset.begin), Number(dataset.end), dataset.severity, Number(dataset.ticks)])";

/// The episodes of what the live page holds of these alerts.
pub(crate) fn episodes(alerts: &[Value], is_wanted: impl Fn(&Value) -> bool) -> Vec<Value> {
    episodes_of(&alerts[alerts.len().saturating_sub(HELD_MAX)..], is_wanted)
}

/// The episodes of these alerts, each as the page shows it: those of a coin, of a rule or of built-in kinds, from the first to the last,
/// with the worst severity.
fn episodes_of(alerts: &[Value], is_wanted: impl Fn(&Value) -> bool) -> Vec<Value> {
    let mut by_subject: BTreeMap<(String, String), Vec<&Value>> = BTreeMap::new();
    for alert in alerts {
        let coin = alert["coin"].as_str().unwrap();
        let kinds = alert["kinds"].as_array().unwrap().iter();
        let mut subjects: Vec<&str> = kinds
            .map(|kind| kind.as_str().unwrap().strip_prefix("rule:").unwrap_or(""))
            .collect();
        subjects.sort_unstable();
        subjects.dedup();
        for subject in subjects {
            let key = (coin.to_owned(), subject.to_owned());
            by_subject.entry(key).or_default().push(alert);
        }
    }
    let mut episodes = Vec::new();
    for ((coin, subject), mut alerts) in by_subject {
        let time = |alert: &Value| alert["event_time"].as_i64().unwrap();
        alerts.sort_by_key(|alert| time(alert));
        for episode in alerts.chunk_by(|a, b| time(b) - time(a) <= APART_MS_MAX) {
            let (first, last) = (episode[0], episode[episode.len() - 1]);
            let rank = |alert: &&&Value| SEVERITIES.iter().position(|it| alert["severity"] == *it);
            let worst = episode.iter().max_by_key(rank).unwrap();
            if episode.iter().any(|alert| is_wanted(alert)) {
                episodes.push(json!([
                    coin,
                    subject,
                    time(first),
                    time(last),
                    worst["severity"],
                    episode.len()
                ]));
            }
        }
    }
    sorted(episodes)
}

fn sorted(mut episodes: Vec<Value>) -> Vec<Value> {
    episodes.sort_by_key(ToString::to_string);
    episodes
}

/// Waits until the page shows these episodes and no others.
pub(crate) async fn shows(browser: &Browser, wanted: &[Value]) {
    browser
        .until(&format!(
            "document.querySelectorAll('.alert').length === {}",
            wanted.len()
        ))
        .await;
    let Value::Array(shown) = browser.run(&format!("return {SHOWN}")).await else {
        panic!("a list")
    };
    assert_eq!(sorted(shown), wanted);
}

/// Why an episode was told: each of its kinds where it was strongest, beside the bounds, and the highest score.
async fn say_why(browser: &Browser, alerts: &[Value]) {
    eventually("a commit says the bounds", async || {
        let bounds = "return fetch('/api/bounds').then((answer) => answer.json())";
        !browser.run(bounds).await.is_null()
    })
    .await;
    let shown = browser
        .run("const alert = [...document.querySelectorAll('.alert')].toSorted((a, b) => b.dataset.ticks - a.dataset.ticks)[0]; \
              alert.querySelector('.why summary').click(); \
              return [Number(alert.dataset.begin), Number(alert.dataset.end), Number(new URLSearchParams(alert.querySelector('.message a').hash.split('?')[1]).get('at'))]")
        .await;
    let [begin, end, headed] = [0, 1, 2].map(|place| shown[place].as_i64().unwrap());
    let time = |alert: &Value| alert["event_time"].as_i64().unwrap();
    let of_episode: Vec<&Value> = (alerts.iter())
        .filter(|alert| alert["coin"] == "bitcoin" && (begin..=end).contains(&time(alert)))
        .collect();
    let size = |alert: &Value, field: &str| alert[field].as_f64().map_or(0.0, f64::abs);
    let strongest = |kind: &str, fields: [&str; 2]| {
        let rank = |alert: &&Value| size(alert, fields[0]).max(size(alert, fields[1]));
        let with = of_episode.iter().filter(|alert| {
            let kinds = alert["kinds"].as_array().unwrap();
            kind.is_empty() || kinds.contains(&json!(kind))
        });
        with.copied().max_by(|a, b| rank(a).total_cmp(&rank(b)))
    };
    let said = "[...document.querySelectorAll('.alert .why')].find((why) => why.open)?.querySelector('ul').textContent";
    let said = browser.until(said).await;
    let said = said.as_str().unwrap();
    let number = |alert: &Value, field: &str| alert[field].as_f64().unwrap();
    let spike = strongest("price_spike", ["move_15m"; 2]).map(|alert| {
        format!(
            ": the price was {:.1} standard deviations from its mean of 15 minutes (counts above ±3), a move of {:+.2} % (counts above ±0.7 %).",
            number(alert, "zscore_15m"),
            100.0 * number(alert, "move_15m")
        )
    });
    let moved = strongest("price_move", ["return_15m"; 2]).map(|alert| {
        format!(
            ": the price changed by {:+.2} % in 15 minutes (counts above ±1.4 %), {:.1} standard deviations of how it usually moves (counts above ±3).",
            100.0 * number(alert, "return_15m"),
            number(alert, "return_zscore_15m")
        )
    });
    let traded = strongest("volume_spike", ["volume_surge", "volume_ratio"]);
    let traded = traded.map(|_| ": trading was ".to_owned());
    let highest = number(strongest("", ["score"; 2]).unwrap(), "score");
    let rule =
        "a warning from 0.4, critical from 0.9; below a warning there is no alert.".to_owned();
    let score = format!("Score {highest:.2}");
    for part in spike
        .into_iter()
        .chain(moved)
        .chain(traded)
        .chain([score, rule])
    {
        assert!(said.contains(&part), "{part} in {said}");
    }
    assert!(of_episode.len() > 1, "{said}");
    // The headline is the peak.
    let head = of_episode
        .iter()
        .find(|alert| time(alert) == headed)
        .unwrap();
    assert_eq!(number(head, "score"), highest, "{head}");
}

pub(crate) async fn compare_alerts(browser: &Browser, client: &Client) {
    let alerts = values(client, "crypto-alerts").await;
    let all = episodes(&alerts, |_| true);
    let held = match alerts.len() {
        HELD_MAX.. => "1,000".to_owned(),
        fewer => fewer.to_string(),
    };
    browser.go("#/alerts").await;
    browser
        .until(&format!(
            "document.querySelector('.summary').textContent.startsWith('{} episodes among the newest {held} alerts')",
            all.len()
        ))
        .await;
    let is_bitcoins = |episode: &&Value| episode[0] == "bitcoin" && episode[4] == "critical";
    let of_kind = episodes(&alerts, |alert| {
        alert["kinds"]
            .as_array()
            .unwrap()
            .contains(&json!("price_spike"))
    });
    let wanted: Vec<Value> = of_kind.iter().filter(is_bitcoins).cloned().collect();
    assert!(!wanted.is_empty() && wanted.len() < all.len());
    browser.choose("#alert-coin", "bitcoin").await;
    browser.choose("#alert-severity", "critical").await;
    browser.choose("#alert-kind", "price_spike").await;
    shows(browser, &wanted).await;
    // The address has the filters, for others and for the way back.
    let hash = browser.run("return location.hash").await;
    assert_eq!(
        hash,
        "#/alerts?coin=bitcoin&severity=critical&kind=price_spike"
    );
    browser.go("#/market").await;
    browser.run("history.back()").await;
    shows(browser, &wanted).await;

    // Every tick unfolds.
    let ticks = browser
        .run(
            "const details = [...document.querySelectorAll('.alert .unfold')]; details.forEach((one) => { one.open = true; }); \
             return new Promise((done) => setTimeout(() => done(details.map((one) => one.querySelectorAll('.ticks li').length)), 100))",
        )
        .await;
    let counts = browser
        .run("return [...document.querySelectorAll('.alert')].map((alert) => Number(alert.dataset.ticks))")
        .await;
    assert_eq!(ticks, counts);

    say_why(browser, &alerts).await;

    // Its link leads to a chart with the alert in it, however long ago that was.
    let link = browser
        .run("const link = [...document.querySelectorAll('.alert .message a')].at(-1); link.click(); return link.hash")
        .await;
    let (_, at) = link.as_str().unwrap().rsplit_once("at=").unwrap();
    browser
        .until("document.querySelector('.chart canvas')")
        .await;
    browser
        .until(&format!(
            "document.querySelector('.alerts .alert[aria-current]')?.dataset.id === 'bitcoin:{at}'"
        ))
        .await;
}

/// The past of every alert, page by page, as the topic has it; bars count the same episodes.
pub(crate) async fn compare_past(browser: &Browser, client: &Client) {
    let alerts = values(client, "crypto-alerts").await;
    let times: Vec<i64> = (alerts.iter())
        .map(|alert| alert["event_time"].as_i64().unwrap())
        .collect();
    let (first, last) = (*times.iter().min().unwrap(), *times.iter().max().unwrap());
    // All of them are episodes of the whole past: more than the live list has.
    let all = episodes_of(&alerts, |_| true);
    browser.go("#/alerts").await;
    browser.choose("#alert-range", "all").await;
    let pages = all.len().div_ceil(50);
    let mut shown = Vec::new();
    for page in 1..=pages {
        if pages > 1 {
            browser
                .until(&format!(
                    "document.querySelector('.pages')?.textContent.includes('Page {page} of {pages}')"
                ))
                .await;
        }
        let wanted = (all.len() - 50 * (page - 1)).min(50);
        browser
            .until(&format!(
                "document.querySelectorAll('.alert').length === {wanted}"
            ))
            .await;
        let Value::Array(of_page) = browser.run(&format!("return {SHOWN}")).await else {
            panic!("a list")
        };
        shown.extend(of_page);
        if page < pages {
            browser
                .run("[...document.querySelectorAll('.pages button')].find((b) => b.textContent === 'Older').click()")
                .await;
        }
    }
    assert_eq!(sorted(shown), all);
    let hash = browser.run("return location.hash").await;
    let hash = hash.as_str().unwrap();
    assert!(hash.starts_with("#/alerts?minutes=all"), "{hash}");
    // Looked for in all of the past, and not left out because of its name.
    browser.choose("#alert-coin", "all").await;
    browser
        .until("document.querySelector('main .nothing').textContent.startsWith('No alert matches')")
        .await;
    browser.choose("#alert-coin", "").await;
    browser
        .until("document.querySelectorAll('.alert').length > 0")
        .await;
    let counted = browser
        .run("return [...document.querySelectorAll('.bars g')].reduce((sum, bar) => sum + Number(bar.dataset.count), 0)")
        .await;
    assert_eq!(counted, json!(all.len()));
    browser
        .until("document.querySelector('.counts figcaption').textContent.includes('Episodes begun per ')")
        .await;

    // From one time to another, by its address, with a filter.
    let (from, until) = (first + (last - first) / 3, last - (last - first) / 3);
    let within: Vec<Value> = (alerts.iter())
        .filter(|alert| (from..=until).contains(&alert["event_time"].as_i64().unwrap()))
        .cloned()
        .collect();
    let wanted = episodes_of(&within, |alert| alert["coin"] == "solana");
    assert!(!wanted.is_empty() && wanted.len() < all.len());
    browser
        .go(&format!("#/alerts?coin=solana&from={from}&until={until}"))
        .await;
    shows(browser, &wanted[..wanted.len().min(50)]).await;
    let nothing = "document.querySelector('.nothing:not([hidden])')?.textContent";
    browser.go("#/alerts?coin=nobody&minutes=60").await;
    browser
        .until(&format!("{nothing}.startsWith('No alert')"))
        .await;
}

/// Who takes care of an episode says so, and a coin can be muted; both are kept in the data directory.
pub(crate) async fn acknowledge_and_mute(browser: &Browser, data: &Path) {
    let kept = || -> Value {
        let text = std::fs::read(data.join("alerts.json")).unwrap_or_else(|_| b"null".to_vec());
        serde_json::from_slice(&text).unwrap()
    };
    browser.go("#/alerts?coin=bitcoin").await;
    browser.until("document.querySelector('.alert')").await;
    let open = browser
        .run("return document.querySelectorAll('.alert').length")
        .await;
    browser
        .run("[...document.querySelectorAll('.alert .marks button')].find((b) => b.textContent === 'Acknowledge').click()")
        .await;
    browser
        .until("document.querySelector('.alert[data-done] .done')?.textContent === 'acknowledged'")
        .await;
    assert_eq!(kept()["acknowledged"][0]["coin"], "bitcoin");
    // What is done is not among the open ones, until it is reopened.
    browser.choose("#alert-state", "open").await;
    browser
        .until(&format!(
            "document.querySelectorAll('.alert').length === {open} - 1"
        ))
        .await;
    browser.choose("#alert-state", "").await;
    browser
        .until(
            "document.querySelector('.alert[data-done] .marks button')?.textContent === 'Reopen'",
        )
        .await;
    browser
        .run("document.querySelector('.alert[data-done] .marks button').click()")
        .await;
    browser
        .until("!document.querySelector('.alert[data-done]')")
        .await;

    browser.choose(".alert .marks select", "60").await;
    browser
        .until(&format!(
            "document.querySelectorAll('.alert[data-done]').length === {open} && \
             document.querySelector('.mutes:not([hidden])').textContent.startsWith('Muted: bitcoin until ')"
        ))
        .await;
    assert!(kept()["mutes"]["bitcoin"].is_i64(), "{}", kept());
    look(browser, "alerts-muted").await;
    browser
        .run("document.querySelector('.mutes button').click()")
        .await;
    browser
        .until("!document.querySelector('.alert[data-done]') && document.querySelector('.mutes').hidden")
        .await;
    assert_eq!(kept()["mutes"], json!({}));

    // Other sites, and whoever is no page of this console, change nothing.
    let refused = browser
        .run(
            "return Promise.all([['text/plain', '{}'], ['application/json', '{\"do\": \"mute\", \"coin\": \"bitcoin\", \"minutes\": 0}']].map(\
             ([kind, body]) => fetch('api/alerts', { method: 'POST', headers: { 'content-type': kind }, body }).then((answer) => answer.status)))",
        )
        .await;
    assert_eq!(refused, json!([415, 400]));
    browser.forget_complaints().await;
}

/// What a reader points at stays where it is, and what came meanwhile is there when the pointer has left.
async fn stays_below_the_pointer(browser: &Browser) {
    let pointer = async |event: &str| {
        let send =
            format!("document.querySelector('.alerts').dispatchEvent(new PointerEvent('{event}'))");
        browser.run(&send).await;
    };
    let rows = "[...document.querySelectorAll('.alert')].map(({ dataset }) => [dataset.coin, dataset.begin, dataset.end].join()).join(' ')";
    let waits = "document.querySelector('.summary').textContent.includes(' new or changed, shown when you leave the list')";
    pointer("pointermove").await;
    let before = browser.run(&format!("return {rows}")).await;
    browser.until(waits).await;
    assert_eq!(browser.run(&format!("return {rows}")).await, before);
    pointer("pointerleave").await;
    browser
        .until(&format!("!{waits} && {rows} !== {before}"))
        .await;
}

/// Filters filter what is there, and what comes.
pub(crate) async fn watch_alerts(browser: &Browser) {
    browser.go("#/alerts").await;
    for severity in ["critical", "warning"] {
        browser
            .until(&format!(
                "document.querySelector('.alert[data-severity={severity}]')"
            ))
            .await;
    }
    stays_below_the_pointer(browser).await;
    browser.choose("#alert-severity", "critical").await;
    let filtered = "document.querySelector('.alert') && [...document.querySelectorAll('.alert')].every((a) => a.dataset.severity === 'critical')";
    browser.until(filtered).await;
    let newest = "document.querySelector('.alert').dataset.coin + document.querySelector('.alert').dataset.end";
    let before = browser.until(newest).await;
    browser.until(&format!("{newest} !== {before}")).await;
    browser.until(filtered).await;
}
