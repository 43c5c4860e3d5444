//! Data files as every reader takes them: Flink, Iceberg's and StarRocks' readers, BigQuery, old Spark and DuckDB.

use parquet::basic::Encoding;

use crate::support::*;

#[tokio::test(flavor = "multi_thread")]
async fn files_are_of_a_kind_that_every_reader_takes() {
    let platform = Platform::start().await;
    for module in ["crypto-clean", "crypto-features", "crypto-anomaly"] {
        platform.module(module, module, b"").await;
    }
    platform.topic("crypto-raw", 1).await;
    platform.produce("crypto-raw", 0, &market(100)).await;
    let mut config = platform.config("a", CLEAN);
    platform.run_to_end(config).await;
    config = platform.config("a", FEATURES);
    config.meta.topic.name = platform.name("crypto-clean-a");
    platform.run_to_end(config).await;
    config = platform.config("a", ALERTS);
    config.meta.topic.name = platform.name("crypto-features-a");
    platform.run_to_end(config).await;

    let lake = platform.lake("a");
    let tables = lake.tables().await.unwrap();
    assert_eq!(tables, ["alerts", "clean", "features", "rejected"]);
    let mut lists = Vec::new();
    for table in tables {
        let snapshot = lake.table(&table).snapshot().await.unwrap().unwrap();
        for file in snapshot.files() {
            let metadata = lake.metadata(&file.path).await.unwrap();
            assert!(metadata.file_metadata().num_rows() > 0, "{}", file.path);
            for group in metadata.row_groups() {
                for column in group.columns() {
                    let path = column.column_path().string();
                    // BigQuery reserves such names.
                    assert!(!path.starts_with('_'), "{}: {path}", file.path);
                    // Of a name that is also the folder's, DuckDB and Spark take either.
                    assert_ne!(path, "date", "{}", file.path);
                    for encoding in column.encodings() {
                        assert!(
                            !matches!(
                                encoding,
                                Encoding::DELTA_BINARY_PACKED
                                    | Encoding::DELTA_BYTE_ARRAY
                                    | Encoding::DELTA_LENGTH_BYTE_ARRAY
                                    | Encoding::BYTE_STREAM_SPLIT
                            ),
                            "{}: {path} is {encoding}",
                            file.path
                        );
                    }
                    if path.contains('.') {
                        lists.push(path);
                    }
                }
            }
        }
    }
    lists.dedup();
    assert_eq!(lists, ["kinds.list.element"]);
}
