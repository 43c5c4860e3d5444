//! A lake of a release before tables.

use super::*;

/// A file of the release before tables, with rows of two days.
fn former_file(partition: u32, first_offset: i64) -> (String, Vec<u8>, Vec<Row>) {
    let item = Arc::new(Field::new("item", DataType::Utf8, false));
    let time = DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));
    let schema = Arc::new(Schema::new(vec![
        Field::new("coin", DataType::Utf8, false),
        Field::new("event_time", time, false),
        Field::new("kinds", DataType::List(item.clone()), true),
        Field::new("price", DataType::Float64, false),
        Field::new("_topic", DataType::Utf8, false),
        Field::new("_partition", DataType::Int32, false),
        Field::new("_offset", DataType::Int64, false),
    ]));
    let row = |offset: i64| {
        let at = MIDNIGHT - 3 * MINUTE_MS + offset * MINUTE_MS;
        (
            COINS[usize::try_from(offset % 3).unwrap()].to_owned(),
            at,
            offset,
        )
    };
    let rows: Vec<Row> = (first_offset..first_offset + 5).map(row).collect();
    let mut kinds =
        arrow_array::builder::ListBuilder::new(arrow_array::builder::StringBuilder::new())
            .with_field(item);
    for row in &rows {
        match row.2 % 3 {
            0 => kinds.append_null(),
            n => kinds.append_value((0..n).map(|_| Some("price_spike"))),
        }
    }
    let times = rows.iter().map(|row| row.1).collect::<Vec<_>>();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(
            rows.iter()
                .map(|row| Some(row.0.as_str()))
                .collect::<StringArray>(),
        ),
        Arc::new(arrow_array::TimestampMillisecondArray::from(times).with_timezone("UTC")),
        Arc::new(kinds.finish()),
        Arc::new(Float64Array::from_iter_values(rows.iter().map(price))),
        Arc::new(rows.iter().map(|_| Some("topic")).collect::<StringArray>()),
        Arc::new(
            rows.iter()
                .map(|_| partition as i32)
                .collect::<arrow_array::Int32Array>(),
        ),
        Arc::new(rows.iter().map(|row| row.2).collect::<Int64Array>()),
    ];
    let batch = RecordBatch::try_new(schema.clone(), columns).unwrap();
    let stamp = serde_json::json!({
        "version": 1, "writer": "w", "topic": "topic", "partition": partition, "partitions": 2,
        "first_offset": first_offset, "last_offset": first_offset + 4, "resume_offset": first_offset + 2,
        "record_hash": "abc", "modules": [], "schema_version": 1, "committed_at_ms": MIDNIGHT,
    });
    let stamp =
        parquet::file::metadata::KeyValue::new("parquet-sink".to_owned(), stamp.to_string());
    let properties =
        parquet_properties(&schema, ["coin"]).set_key_value_metadata(Some(vec![stamp]));
    let mut writer = ArrowWriter::try_new(Vec::new(), schema, Some(properties.build())).unwrap();
    writer.write(&batch).unwrap();
    let date = plan::date_of(rows[0].1).unwrap();
    let path = format!("ticks/date={date}/topic-{partition}-{first_offset:020}.parquet");
    (path, writer.into_inner().unwrap(), rows)
}

#[tokio::test]
async fn a_layer_of_the_release_before_becomes_a_table() {
    let folder = tempfile::tempdir().unwrap();
    let mut written = Vec::new();
    for partition in 0..2 {
        for commit in 0..3 {
            let (path, contents, rows) = former_file(partition, commit * 5);
            written.extend(rows);
            crate::durable::write(&folder.path().join(path), &contents).unwrap();
        }
    }
    written.sort();
    let sort = vec!["coin".to_owned(), "event_time".to_owned()];
    let layer = FormerLayer {
        spec: TableSpec::new(&schema(), "ticks", sort).unwrap(),
        date: "event_time".to_owned(),
        stage: "stage".to_owned(),
    };
    let now = MIDNIGHT + DAY_MS;
    let store_now_ms = Some(jiff::Timestamp::now().as_millisecond() + 2 * DAY_MS);
    let mut kill_at = 0;
    loop {
        let copy = copied(folder.path());
        let lake = Lake::open_str(copy.path().to_str().unwrap(), []).unwrap();
        let table = lake.table("ticks");
        let error = table.writer(&layer.spec).await.unwrap_err();
        assert!(
            error.to_string().contains("coinlake lake import"),
            "{error}"
        );
        let steps = AtomicUsize::new(0);
        let upkeep = Upkeep::at(now).watch(move |_| {
            match steps.fetch_add(1, Ordering::Relaxed) == kill_at {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        });
        let killed = upkeep.import(&table, &layer).await.is_err();
        Upkeep::at(now).import(&table, &layer).await.unwrap();
        let snapshot = table.snapshot().await.unwrap().unwrap();
        let mut found = rows(&snapshot).await;
        found.sort();
        assert_eq!(found, written, "killed at step {kill_at}");
        // Each row lies in the folder of its own day.
        for file in snapshot.files() {
            for row in rows_of(&snapshot, &file.path).await {
                assert_eq!(plan::date_of(row.1), file.date);
            }
        }
        if killed {
            kill_at += 1;
            continue;
        }
        let stamp = snapshot.stamp("topic", 1).unwrap();
        assert_eq!(stamp.app.to_string(), "stage/topic/1");
        assert_eq!((stamp.last_offset, stamp.resume_offset), (14, 12));
        let path = &snapshot.files()[0].path;
        let metadata = lake.metadata(path).await.unwrap();
        assert!(
            metadata
                .row_group(0)
                .column(0)
                .bloom_filter_offset()
                .is_some()
        );
        // The former files are there for a day.
        let vacuum = Upkeep {
            store_now_ms,
            ..Upkeep::at(now + HOUR_MS)
        };
        let report = vacuum.vacuum(&table).await.unwrap().unwrap();
        assert_eq!(report.data.files, 0);
        let vacuum = Upkeep {
            store_now_ms,
            ..Upkeep::at(now + DAY_MS + HOUR_MS)
        };
        let report = vacuum.vacuum(&table).await.unwrap().unwrap();
        assert_eq!(report.data.files, 6);
        table.writer(&layer.spec).await.unwrap();
        break;
    }
    assert!(kill_at > 8, "{kill_at}");
}
