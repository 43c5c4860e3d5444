//! The Models page, and what the models in production say on the others: without a server, and with a real one.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use connector_runtime::cluster::Client;
use fixtures::mlflow::server;
use fixtures::patience::PATIENCE;
use fixtures::process::{Process, coinlake, succeeded};
use serde_json::{Value, json};

use crate::ONE_AT_A_TIME;
use crate::browser::Browser;
use crate::market::compare_market;
use crate::pictures::look;
use crate::platform::newest;
use crate::ticking::Ticking;

const MODELS: [&str; 2] = ["anomaly_ahead", "trend_up"];

/// A training on the demo's lake: its run, versions and pictures.
pub(crate) async fn compare_models(browser: &Browser, data: &Path) {
    browser.go("#/models").await;
    browser
        .until("document.querySelector('.nothing')?.textContent.startsWith('No run yet')")
        .await;
    // The command as it works from anywhere.
    let command = browser
        .run("return document.querySelector('.nothing code').textContent")
        .await;
    let wanted = format!("coinlake train run --data {}", data.display());
    assert_eq!(command, wanted);
    let report = train(data, &["run", "--json"], None);
    let report: Value = serde_json::from_str(&report).unwrap();
    browser.go("#/data").await;
    browser.go("#/models").await;
    run_is_shown(browser, &report).await;
}

/// A second run beside the first, a metric over both, one that failed, and one that there is not.
pub(crate) async fn compare_runs(browser: &Browser, data: &Path) {
    let ids = "[...document.querySelectorAll('.runs tbody tr th a')].map((a) => decodeURIComponent(a.hash.split('/').at(-1)))";
    browser.go("#/models").await;
    let first = browser.until(&format!("{ids}[0]")).await;
    let report = train(
        data,
        &["run", "--json", "--seed", "2", "--margin", "2"],
        None,
    );
    let report: Value = serde_json::from_str(&report).unwrap();
    let second = report["run"].as_str().unwrap();
    // Too little to learn from: that run fails, and says why.
    let mut command = coinlake(&["train", "run", "--since", "2m", "--data"]);
    command.arg(data);
    assert!(!command.output().unwrap().status.success());
    browser.go("#/data").await;
    browser.go(&format!("#/models/{second}")).await;
    browser
        .until("document.querySelectorAll('.runs tbody tr').length === 3")
        .await;
    let dots = browser
        .run("return document.querySelectorAll('.over-runs circle').length")
        .await;
    assert_eq!(dots, 2);
    browser
        .until("document.querySelector('.parameters td')?.textContent")
        .await;
    // Staging and production are marked wherever the run is named.
    let aliases = browser
        .run("return [...document.querySelectorAll('.runs .alias')].map((alias) => alias.textContent).sort()")
        .await;
    let all = aliases.as_array().unwrap();
    assert!(!all.is_empty(), "{aliases}");
    browser
        .run(&format!(
            "[...document.querySelectorAll('.runs td a')].find((a) => a.hash.endsWith('with={}')).click()",
            first.as_str().unwrap()
        ))
        .await;
    let row = "[...document.querySelectorAll('.beside-runs tr[data-of]')].find((row) => row.dataset.of === 'anomaly_ahead/auc_roc')";
    let cells = browser
        .until(&format!(
            "{row} && [...{row}.cells].map((cell) => cell.textContent)"
        ))
        .await;
    let measured = report["models"][0]["metrics"]["auc_roc"].as_f64().unwrap();
    assert_eq!(cells[1], format!("{measured:.4}"), "{cells}");
    let number = |cell: usize| {
        cells[cell]
            .as_str()
            .unwrap()
            .replace('−', "-")
            .parse::<f64>()
            .unwrap()
    };
    assert!((number(2) - number(1) - number(3)).abs() < 2e-4, "{cells}");
    browser
        .until("document.querySelector('.beside-runs tr[data-of*=seed]')")
        .await;

    let failed = "[...document.querySelectorAll('.runs tbody tr')].find((row) => row.cells[2].textContent === 'failed').querySelector('a').click()";
    browser.run(failed).await;
    browser
        .until(
            "document.querySelector('main .nothing')?.textContent.startsWith('This run failed: ')",
        )
        .await;
    look(browser, "run-failed").await;
    let newest = browser.run("return location.hash.split('/').at(-1)").await;
    serving_models_have_figures_however_old(browser, data, newest.as_str().unwrap()).await;
    browser.go("#/models/nobody-knows-it").await;
    browser
        .until("document.querySelector('main .nothing')?.textContent.startsWith('there is no run nobody-knows-it in ')")
        .await;
    assert_eq!(
        browser
            .run("return fetch('api/run?run=nobody-knows-it').then((answer) => answer.status)")
            .await,
        404
    );
    browser.forget_complaints().await;
}

/// After 50 runs newer than that of the models in production.
async fn serving_models_have_figures_however_old(browser: &Browser, data: &Path, newest: &str) {
    let runs = data.join("models");
    let copies: Vec<_> = (0..50).map(|copy| runs.join(format!("z{copy}"))).collect();
    for copy in &copies {
        std::fs::create_dir(copy).unwrap();
        std::fs::copy(runs.join(newest).join("run.json"), copy.join("run.json")).unwrap();
    }
    browser.go("#/data").await;
    browser.go("#/models").await;
    browser
        .until(
            "document.querySelectorAll('.runs tbody tr').length === 50 && \
             [...document.querySelectorAll('.card.model')].filter((card) => card.querySelector('.serving').textContent.includes(' is in production')).length > 0 && \
             [...document.querySelectorAll('.card.model')].every((card) => \
             card.querySelector('.serving').textContent.startsWith('No ') || card.querySelector('[data-of$=auc_roc] dd'))",
        )
        .await;
    for copy in copies {
        std::fs::remove_dir_all(copy).unwrap();
    }
}

/// The newest run, as the training has reported it.
async fn run_is_shown(browser: &Browser, report: &Value) {
    browser
        .until("document.querySelectorAll('.card.model .versions li').length === 2")
        .await;
    // Five pictures of each model, each of which is one.
    browser
        .until(
            "document.querySelectorAll('.pictures img').length === 10 && \
             [...document.querySelectorAll('.pictures img')].every((i) => i.complete && i.naturalWidth > 0)",
        )
        .await;
    let shown = browser
        .run(
            "return Object.fromEntries([...document.querySelectorAll('.run [data-of]')].map((metric) => \
             [metric.dataset.of, metric.querySelector('dd').textContent]))",
        )
        .await;
    for model in report["models"].as_array().unwrap() {
        for metric in [
            "auc_roc",
            "auc_pr",
            "auc_pr_low",
            "lift_top_1pct",
            "brier",
            "base_rate",
            "best_input_auc_pr",
        ] {
            let name = format!("{}/{metric}", model["model"].as_str().unwrap());
            let measured = model["metrics"][metric].as_f64().unwrap();
            assert_eq!(shown[&name], format!("{measured:.4}"), "{name}");
        }
    }
    let row = browser
        .run("return [...document.querySelectorAll('.runs td.number')].map((cell) => cell.textContent).slice(0, 4)")
        .await;
    let wanted: Vec<_> = MODELS
        .iter()
        .flat_map(|model| {
            ["auc_roc", "auc_pr"].map(|metric| shown[format!("{model}/{metric}")].clone())
        })
        .collect();
    assert_eq!(row, json!(wanted));
}

/// What is promoted serves: the market goes on, and the stage takes the new module up by itself.
pub(crate) async fn predictions_flow(
    browser: &Browser,
    client: &Client,
    broker: &str,
    data: &Path,
) -> Ticking {
    for model in MODELS {
        train(data, &["promote", model, "1", "production"], None);
    }
    browser.go("#/data").await;
    browser.go("#/models").await;
    browser
        .until("[...document.querySelectorAll('.serving')].every((s) => s.textContent === 'Version 1 is in production')")
        .await;
    browser
        .until("[...document.querySelectorAll('.drift')].every((d) => d.textContent.startsWith('Drift of the lake'))")
        .await;
    say_whether_they_are_good(browser).await;

    let ticking = Ticking::start(broker, newest(client, "crypto-features").await).await;
    browser.go("#/pipeline").await;
    browser
        .until(
            "[...document.querySelectorAll('.card.stage .faint')].some((text) => \
             text.textContent === 'serves anomaly_ahead/1, trend_up/1')",
        )
        .await;
    browser
        .until(
            "[...document.querySelectorAll('.card.topic')].find((card) => \
             card.querySelector('strong').textContent === 'crypto-predictions' && \
             parseFloat(card.querySelector('.speed').textContent.replaceAll(',', '')) > 50)",
        )
        .await;
    browser.go("#/market").await;
    let probability = "document.querySelector('.market tbody tr td:nth-child(10) data')?.value";
    let before = browser.until(probability).await;
    browser.until(&format!("{probability} !== {before}")).await;
    ticking
}

/// Beside chance, beside the best input alone, and by what came of the alarms.
async fn say_whether_they_are_good(browser: &Browser) {
    let found = browser
        .run("return fetch('api/models').then((answer) => answer.json())")
        .await;
    let run = &found["runs"][0];
    let said = browser
        .run("return [...document.querySelectorAll('.verdict')].map((verdict) => verdict.textContent)")
        .await;
    for (place, model) in MODELS.iter().enumerate() {
        let number = |metric: &str| {
            run["metrics"][format!("{model}/{metric}")]
                .as_f64()
                .unwrap()
        };
        let said = said[place].as_str().unwrap();
        let outcomes = [
            ("true_positives", "false_negatives"),
            ("true_negatives", "false_positives"),
        ];
        let rarer = outcomes
            .map(|(a, b)| number(a) + number(b))
            .into_iter()
            .fold(f64::MAX, f64::min);
        let gain = number("precision") / number("base_rate");
        let (ranked, alone) = (number("auc_roc"), number("best_input_auc_roc"));
        let alone = alone.max(1.0 - alone);
        println!("{model}: {said}");
        assert_eq!(
            said.contains("Too few events to judge ("),
            rarer < 30.0,
            "{said}"
        );
        if rarer < 30.0 {
            continue;
        }
        let is_useless = place == 0 && gain < 2.0;
        assert_eq!(said.contains("Not usable: "), is_useless, "{said}");
        assert_eq!(
            said.contains("Its score is no probability: "),
            number("brier") > number("base_rate_brier"),
            "{said}"
        );
        if is_useless {
            continue;
        }
        for part in [
            format!("(AUC-ROC {ranked:.2}; chance 0.50, perfect 1)"),
            format!(" alone ({alone:.2})"),
        ] {
            assert!(said.contains(&part), "{part} in {said}");
        }
        assert_eq!(
            said.contains("; worse than "),
            ranked < alone - 0.005,
            "{said}"
        );
    }
    verdicts_are_honest(browser).await;
    // What it was measured on.
    let rows = run["metrics"]["trend_up/test_rows"].as_f64().unwrap();
    browser
        .until(&format!(
            "document.querySelectorAll('.tested')[1].textContent.replaceAll(',', '').startsWith('Tested on {rows} rows from 2024-01-0')"
        ))
        .await;
}

/// Runs that look better than they are.
async fn verdicts_are_honest(browser: &Browser) {
    let counts = |tp: u32, fneg: u32, fp: u32, tn: u32| {
        json!({
            "true_positives": tp, "false_negatives": fneg, "false_positives": fp, "true_negatives": tn,
            "precision": f64::from(tp) / f64::from(tp + fp), "recall": f64::from(tp) / f64::from(tp + fneg),
            "base_rate": f64::from(tp + fneg) / f64::from(tp + fneg + fp + tn),
        })
    };
    for (model, counted, auc_roc, [brier, base_rate_brier], begin, parts) in [
        // An alarm at nearly every row finds everything.
        (
            "anomaly_ahead",
            counts(11, 0, 10_600, 1_600),
            0.62,
            [0.01, 0.02],
            "Too few events to judge (11): ",
            vec![
                "It alarms on 87 % of the test's rows and foresaw 100 % of what came; of its alarms 0.1 % came true, where 0.09 % would by chance.",
            ],
        ),
        (
            "anomaly_ahead",
            counts(110, 0, 106_000, 16_000),
            0.62,
            [0.01, 0.02],
            "Not usable: its alarms are right no more often than chance.",
            vec![],
        ),
        // An input that foretells the opposite of what was learnt is one that foretells.
        (
            "anomaly_ahead",
            counts(110, 40, 300, 16_000),
            0.82,
            [0.01, 0.02],
            "Much better than chance at telling what comes (AUC-ROC 0.82; chance 0.50, perfect 1); worse than hour_of_day alone (0.87).",
            vec![],
        ),
        (
            "trend_up",
            counts(500, 400, 500, 400),
            0.54,
            [0.26, 0.25],
            "No better than chance at telling what comes ",
            vec![
                "Its score is no probability: always saying the base rate is nearer to the truth (Brier 0.2500; its own 0.2600, lower is better).",
                "It predicts a rise on 56 % of the test's rows",
            ],
        ),
    ] {
        let mut run =
            json!({ "metrics": {}, "params": { format!("{model}/best_input"): "-hour_of_day" } });
        let mut metrics = counted;
        metrics["auc_roc"] = json!(auc_roc);
        metrics["brier"] = json!(brier);
        metrics["base_rate_brier"] = json!(base_rate_brier);
        metrics["best_input_auc_roc"] = json!(0.13);
        for (name, value) in metrics.as_object().unwrap() {
            run["metrics"][format!("{model}/{name}")] = value.clone();
        }
        let said = browser
            .run(&format!(
                "return import(new URL('models/verdict.js', document.querySelector('script[type=module]').src)).then(({{ verdictOf }}) => verdictOf('{model}', {run}))"
            ))
            .await;
        let said = said.as_str().unwrap();
        assert!(said.starts_with(begin), "{said}");
        for part in parts {
            assert!(said.contains(part), "{part} in {said}");
        }
    }
}

/// Once the market stands still, the pages show the predictions of the topic.
pub(crate) async fn compare_predictions(browser: &Browser, client: &Client, ticking: Ticking) {
    let ended = ticking.stop().await;
    for topic in ["crypto-features", "crypto-predictions"] {
        arrives(client, topic, &ended).await;
    }
    let predictions = newest(client, "crypto-predictions").await;
    for (coin, prediction) in &predictions {
        for probability in ["anomaly_probability", "trend_up_probability"] {
            let of_one = prediction[probability].as_f64().unwrap();
            assert!((0.0..=1.0).contains(&of_one), "{coin}: {prediction}");
        }
        assert_eq!(prediction["anomaly_model"], "anomaly_ahead/1");
        assert_eq!(prediction["trend_model"], "trend_up/1");
    }
    browser.go("#/other").await;
    compare_market(browser, client).await;
}

/// Waits until a topic's newest row of every coin is of that time.
async fn arrives(client: &Client, topic: &str, ended: &BTreeMap<String, i64>) {
    let started = Instant::now();
    loop {
        let rows = newest(client, topic).await;
        let time = |coin| rows.get(coin).and_then(|row| row["event_time"].as_i64());
        if ended.iter().all(|(coin, at)| time(coin) == Some(*at)) {
            return;
        }
        assert!(started.elapsed() < PATIENCE, "{topic}: {rows:#?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test]
async fn the_models_page_leads_to_mlflow() {
    let _alone = ONE_AT_A_TIME.lock().await;
    let Some(mlflow) = server() else { return };
    let (Some(browser), Some(visitor)) = (Browser::start().await, Browser::start().await) else {
        return;
    };
    let uri = mlflow.uri();
    let data = tempfile::tempdir().unwrap();
    let mut command = coinlake(&[
        "demo",
        "--listen",
        "127.0.0.1:0",
        "--console",
        "127.0.0.1:0",
    ]);
    command.arg("--data").arg(data.path());
    command.env("MLFLOW_TRACKING_URI", &uri);
    let demo = Process::start(command);
    let browser = browser.at(format!("http://{}", demo.word_after("console at http://")));
    demo.word_after("the market is drained");

    // A server that has never heard of the experiment is no trouble.
    browser.go("#/models").await;
    browser
        .until("document.querySelector('.nothing')?.textContent.startsWith('No run yet')")
        .await;
    let place = browser
        .run("return document.querySelector('.summary a').href")
        .await;
    assert_eq!(place, format!("{uri}/"));
    let report = train(data.path(), &["run", "--json"], Some(&uri));
    let report: Value = serde_json::from_str(&report).unwrap();
    browser.go("#/data").await;
    browser.go("#/models").await;
    run_is_shown(&browser, &report).await;

    // The link of the run is followed, and MLflow's own page names the run and what was measured.
    let link = browser
        .run("return document.querySelector('.summary a[href*=\"/runs/\"]').href")
        .await;
    let name = browser
        .run("return document.querySelector('.runs th a').textContent")
        .await;
    let run = report["run"].as_str().unwrap();
    let (site, hash) = link.as_str().unwrap().split_once("/#").unwrap();
    assert_eq!(site, uri);
    assert!(hash.ends_with(run), "{link}");
    let visitor = visitor.at(uri);
    visitor.go(&format!("#{hash}")).await;
    for shown in [name.as_str().unwrap(), run, "anomaly_ahead/auc_roc"] {
        visitor
            .until(&format!("document.body.innerText.includes({shown:?})"))
            .await;
    }
    visitor.screenshot("mlflow-run").await;
    browser.close().await;
}

/// `coinlake train`; what it prints.
fn train(data: &Path, arguments: &[&str], mlflow: Option<&str>) -> String {
    let mut command = coinlake(&[&["train"], arguments].concat());
    command.arg("--data").arg(data);
    command.envs(mlflow.map(|uri| ("MLFLOW_TRACKING_URI", uri)));
    succeeded(&command.output().unwrap())
}
