//! The Data page's tables: their columns, commits and files, and what to type elsewhere.

use std::path::Path;

use connector_runtime::cluster::Client;
use fixtures::{python, tables};
use serde_json::{Value, json};

use crate::browser::Browser;
use crate::platform::{size, values};

/// The rows of a table by its caption's beginning: every cell's text.
const CELLS: &str = "const cells = (name) => [...[...document.querySelectorAll('.browse caption')] \
     .find((caption) => caption.textContent.startsWith(name)).parentElement.tBodies[0].rows] \
     .map((row) => [...row.cells].map((cell) => cell.textContent));";

/// As many rows and files as there are, and the first rows of the oldest are the topic's first.
pub(crate) async fn compare_lake(browser: &Browser, client: &Client, lake: &Path) {
    browser.go("#/data/lake/features").await;
    browser
        .until("document.querySelector('.browse tbody a')")
        .await;
    let (rows, files) = size(lake, "features");
    assert!(rows > 0);
    browser
        .until(&format!(
            "document.querySelector('.browse .summary').textContent.replace(/(\\d)\\D(?=\\d{{3}})/g, '$1').startsWith('{rows} rows in {files} file')"
        ))
        .await;
    say_what_came_lately(browser, lake).await;
    browser.go("#/data/lake/features").await;
    browser
        .until("document.querySelector('.browse tbody a')")
        .await;
    compare_schema(browser, lake).await;
    compare_commits(browser, lake).await;
    run_snippets(browser, lake, rows).await;
    browser.run("[...document.querySelectorAll('.browse tbody a')].find((a) => a.href.includes('00000000000000000000')).click()").await;
    browser
        .until("document.querySelector('.rows caption')?.textContent.startsWith('Rows 1 to')")
        .await;
    let first = browser
        .run(
            "const cells = (row) => [...row.children].map((cell) => cell.textContent); \
             const table = document.querySelector('.rows table'); \
             const heads = cells(table.querySelector('thead tr')); \
             return Object.fromEntries(cells(table.querySelector('tbody tr')).map((cell, i) => [heads[i], cell]))",
        )
        .await;
    let row = &values(client, "crypto-features").await[0];
    assert_eq!(first["coin"], row["coin"]);
    assert_eq!(first["source_topic"], "crypto-clean");
    let number = |value: &Value| value.as_str().unwrap().parse::<f64>().unwrap();
    assert_eq!(Some(number(&first["price"])), row["price"].as_f64());
    assert_eq!(Some(number(&first["ma_15m"])), row["ma_15m"].as_f64());
    sort_rows(browser).await;
}

/// Rows sorted by a column, up and down, a page at a time, and the whole file once.
async fn sort_rows(browser: &Browser) {
    let press = async |name: &str| {
        browser
            .run(&format!(
                "[...document.querySelectorAll('.rows .sort')].find((b) => b.textContent === '{name}').click()"
            ))
            .await;
    };
    let order = "document.querySelector('.rows th[aria-sort]')?.ariaSort";
    let prices = "const at = [...document.querySelectorAll('.rows thead th')].findIndex((head) => head.textContent === 'price'); \
                  return [...document.querySelectorAll('.rows tbody tr')].map((row) => Number(row.cells[at].textContent))";
    let shown = async || -> Vec<f64> {
        let found = browser.run(prices).await;
        serde_json::from_value(found).unwrap()
    };
    let total = browser
        .run("return Number(document.querySelector('.rows caption').textContent.match(/of ([0-9,]+)/)[1].replaceAll(',', ''))")
        .await
        .as_u64()
        .unwrap();
    press("price").await;
    browser.until(&format!("{order} === 'ascending'")).await;
    let least = shown().await;
    assert!(least.is_sorted() && !least.is_empty(), "{least:?}");
    press("price").await;
    browser.until(&format!("{order} === 'descending'")).await;
    let mut all = shown().await;
    assert!(all[0] >= *least.last().unwrap());
    while (all.len() as u64) < total {
        let next = all.len() + 1;
        browser
            .run("[...document.querySelectorAll('.rows button')].find((b) => b.textContent === 'Rows after').click()")
            .await;
        browser
            .until(&format!(
                "document.querySelector('.rows caption')?.textContent.replaceAll(',', '').startsWith('Rows {next} to')"
            ))
            .await;
        all.extend(shown().await);
        if all.len() >= 150 {
            break;
        }
    }
    assert!(all.is_sorted_by(|a, b| a >= b), "{all:?}");
    if all.len() as u64 == total {
        assert_eq!(
            all[all.len() - least.len()..],
            least.iter().rev().copied().collect::<Vec<_>>()
        );
    }
    // A column that there is not.
    let refused = browser
        .run("return fetch('api/rows?' + new URLSearchParams({ layer: 'features', path: new URLSearchParams(location.hash.split('?')[1]).get('path'), sort: 'nothing' })).then((answer) => answer.status)")
        .await;
    assert_eq!(refused, 404);
    browser.forget_complaints().await;
}

/// All that is in the tables came within the hour.
async fn say_what_came_lately(browser: &Browser, lake: &Path) {
    browser.go("#/data/lake").await;
    browser
        .until("document.querySelector('.browse tr[data-of=features]')")
        .await;
    for table in ["raw", "clean", "rejected", "features", "alerts"] {
        let snapshot = tables::snapshot(lake, table).unwrap();
        let commits = snapshot.table().history(500).await.unwrap().unwrap();
        let commits = commits
            .iter()
            .filter(|it| it.operation == "WRITE" && it.added_rows > 0);
        let (rows, files) = size(lake, table);
        let shown = browser
            .run(&format!(
                "return [...document.querySelector('.browse tr[data-of={table}]').cells].map((cell) => cell.textContent.replaceAll(',', ''))"
            ))
            .await;
        let [rows, files, commits] =
            [rows, files as u64, commits.count() as u64].map(|n| n.to_string());
        assert_eq!(
            [&shown[1], &shown[2], &shown[4], &shown[5]],
            [&rows, &commits, &rows, &files],
            "{table}"
        );
        assert!(shown[3].as_str().unwrap().ends_with(" ago"), "{shown}");
    }
}

/// Every column, with what the table's own schema says of it.
async fn compare_schema(browser: &Browser, lake: &Path) {
    let snapshot = tables::snapshot(lake, "features").unwrap();
    let spec = snapshot.spec();
    let page = browser
        .run("return document.querySelector('.browse section').textContent")
        .await;
    assert!(page.as_str().unwrap().contains(&spec.description));
    let wanted: Vec<Value> = spec
        .columns
        .iter()
        .map(|column| {
            let nullable = if column.nullable { "yes" } else { "no" };
            json!([column.name, column.kind, nullable, column.comment])
        })
        .collect();
    assert!(spec.columns.iter().all(|column| !column.comment.is_empty()));
    let shown = browser
        .run(&format!("{CELLS} return cells('Columns')"))
        .await;
    assert_eq!(shown, Value::Array(wanted));
}

/// The newest commits, as the table's log has them.
async fn compare_commits(browser: &Browser, lake: &Path) {
    let snapshot = tables::snapshot(lake, "features").unwrap();
    let commits = snapshot.table().history(50).await.unwrap().unwrap();
    assert!(commits.len() > 1, "{commits:?}");
    let wanted: Vec<Value> = commits
        .iter()
        .map(|commit| {
            let time = jiff::Timestamp::from_millisecond(commit.at_ms).unwrap();
            let or_none = |text: Option<String>| text.unwrap_or_else(|| "–".to_owned());
            json!([
                commit.version.to_string(),
                time.strftime("%Y-%m-%d %H:%M:%S").to_string(),
                commit.operation,
                commit.added_rows.to_string(),
                or_none(commit.rows.map(|rows| rows.to_string())),
                commit.added_files.to_string(),
                commit.removed_files.to_string(),
                or_none(commit.app.clone()),
            ])
        })
        .collect();
    let shown = browser
        .run(&format!(
            "{CELLS} return cells('Commits').map((row) => row.map((cell, i) => i > 2 && i < 7 ? cell.replaceAll(',', '') : cell))"
        ))
        .await;
    assert_eq!(shown, Value::Array(wanted));
}

/// What is copied is what is shown, and it finds the table's rows.
async fn run_snippets(browser: &Browser, lake: &Path, rows: u64) {
    let folder = tempfile::tempdir().unwrap();
    for program in ["DuckDB", "Polars", "Spark"] {
        let copied = browser
            .run(&format!(
                "let copied = null; \
                 Object.defineProperty(navigator, 'clipboard', {{ configurable: true, value: {{ writeText: async (text) => {{ copied = text; }} }} }}); \
                 const shown = document.querySelector('.snippet pre[data-for={program}]'); \
                 shown.parentElement.querySelector('button').click(); \
                 return copied === shown.textContent ? copied : null"
            ))
            .await;
        let copied = copied
            .as_str()
            .unwrap_or_else(|| panic!("{program}: not what is shown"));
        assert!(
            copied.contains(&format!("{}/features", lake.display())),
            "{copied}"
        );
        std::fs::write(folder.path().join(program), copied).unwrap();
    }
    std::fs::write(folder.path().join("rows"), rows.to_string()).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/snippets.py");
    let _skipped = python::run(
        &script,
        "duckdb, duckdb_ext, polars, deltalake",
        &[folder.path()],
    );
}
