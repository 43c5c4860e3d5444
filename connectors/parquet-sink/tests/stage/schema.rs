//! A table's columns follow the configuration as far as readers can bear it.

use lake::{Snapshot, TableSpec};
use parquet_sink::StageConfig;

use crate::support::*;

const COLUMNS: [&str; 2] = [
    "{ name: coin, type: string, nullable: false, bloom: true }",
    "{ name: at, type: timestamp, comment: the time of the trade }",
];

fn config(platform: &Platform, columns: &[&str]) -> StageConfig {
    let columns: String = columns
        .iter()
        .map(|column| format!("          - {column}\n"))
        .collect();
    let text = format!(
        "
apiVersion: 0.1.0
meta: {{ name: trades, type: parquet-sink, version: 0.1.0, topic: trades }}
parquet:
  lake: lake
  destinations:
    - layer:
        name: trades
        date: at
        comment: one row a trade
        columns:
{columns}"
    );
    platform.config("a", &text)
}

async fn snapshot(platform: &Platform) -> Snapshot {
    let snapshot = platform.lake("a").table("trades").snapshot().await;
    snapshot.unwrap().expect("the table was created")
}

fn names(spec: &TableSpec) -> Vec<&str> {
    let columns = spec.columns.iter();
    columns.map(|column| column.name.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_table_says_what_its_columns_mean() {
    let platform = Platform::start().await;
    platform.topic("trades", 1).await;
    let trade = outgoing("a", r#"{"coin":"bitcoin","at":1}"#);
    platform.produce("trades", 0, &[trade]).await;
    platform.run_to_end(config(&platform, &COLUMNS)).await;
    let snapshot = snapshot(&platform).await;
    let spec = snapshot.spec();
    assert_eq!(
        names(spec),
        [
            "coin",
            "at",
            "source_topic",
            "source_partition",
            "source_offset"
        ]
    );
    assert_eq!(spec.description, "one row a trade");
    assert_eq!(spec.sort, ["coin", "at"]);
    let kinds: Vec<_> = spec.columns.iter().map(|column| &*column.kind).collect();
    assert_eq!(kinds, ["string", "timestamp", "string", "integer", "long"]);
    let comments: Vec<_> = spec.columns.iter().map(|column| &*column.comment).collect();
    assert_eq!(comments[..2], ["", "the time of the trade"]);
    assert!(comments[2..].iter().all(|comment| !comment.is_empty()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_column_can_be_added_and_not_changed() {
    let platform = Platform::start().await;
    platform.topic("trades", 1).await;
    let trade = outgoing("a", r#"{"coin":"bitcoin","at":1,"size":2}"#);
    platform
        .produce("trades", 0, std::slice::from_ref(&trade))
        .await;
    platform.run_to_end(config(&platform, &COLUMNS)).await;
    platform
        .produce("trades", 0, std::slice::from_ref(&trade))
        .await;
    let wider = [COLUMNS[0], COLUMNS[1], "{ name: size, type: int64 }"];
    platform.run_to_end(config(&platform, &wider)).await;
    let before = snapshot(&platform).await;
    assert!(names(before.spec()).contains(&"size"));
    assert_eq!(before.rows(), 2);

    platform.produce("trades", 0, &[trade]).await;
    for (changed, reason) in [
        ("{ name: size, type: float64 }", "`size` is of type long"),
        ("{ name: weight, type: int64, nullable: false }", "`weight`"),
    ] {
        let columns = [COLUMNS[0], COLUMNS[1], changed];
        let stage = platform.start_stage(config(&platform, &columns));
        let error = stage.ends().await.unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
        let after = snapshot(&platform).await;
        assert_eq!((after.version(), after.rows()), (before.version(), 2));
    }
    // Without the column, rows have null there.
    platform.run_to_end(config(&platform, &COLUMNS)).await;
    let after = snapshot(&platform).await;
    assert_eq!((after.spec(), after.rows()), (before.spec(), 3));
}
