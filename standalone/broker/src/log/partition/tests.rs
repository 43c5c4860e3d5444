use super::*;
use crate::log::batch::BatchBuilder;
use fluvio_protocol::Encoder as _;
use fluvio_protocol::record::Record;
use proptest::prelude::*;

fn set(batches: &[usize]) -> Bytes {
    let mut set = Vec::new();
    for records in batches {
        let values: Vec<Record> = (0..*records)
            .map(|n| Record::new(format!("value {n}")))
            .collect();
        let mut batch = BatchBuilder::new();
        batch.append(&values.as_bytes(0).unwrap()).unwrap();
        set.extend(batch.finish(0, *records as i32 - 1, 1000));
    }
    set.into()
}

fn config(segment_bytes_max: u64) -> PartitionConfig {
    PartitionConfig {
        segment_bytes_max,
        batch_bytes_max: 10_000,
        partition_bytes_max: u64::MAX,
        retention: Duration::MAX,
        compression: None,
    }
}

/// Reads everything from `from` on and checks that batches follow each other without a gap.
fn read_all(log: &Partition, from: i64, bytes_max: usize) -> i64 {
    let mut cursor = Cursor::default();
    let mut next = from;
    while next < log.end_offset() {
        let read = log.read(&mut cursor, next, bytes_max).unwrap();
        let mut at = None;
        for batch in batch::headers(&read.bytes) {
            let (header, range) = batch.unwrap();
            Header::check(&read.bytes[range]).unwrap();
            assert!(at.is_none_or(|at| at == header.base_offset));
            assert!(at.is_some() || (header.base_offset..header.next_offset()).contains(&next));
            at = Some(header.next_offset());
        }
        assert_eq!(at, Some(read.next_offset));
        next = read.next_offset;
    }
    next
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_is_appended_is_read_from_everywhere_also_after_opening_again(
        requests in proptest::collection::vec(proptest::collection::vec(proptest::collection::vec(1usize..30, 1..4), 1..4), 1..20),
        segment_bytes_max in 1500u64..5000,
        bytes_max in 1usize..3000,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut log = Partition::open(dir.path().into(), config(segment_bytes_max)).unwrap();
        let mut end = 0;
        for (n, request) in requests.iter().enumerate() {
            let sets: Vec<_> = request.iter().map(|batches| set(batches)).collect();
            let base_offsets = log.append(&sets).unwrap();
            for (batches, base_offset) in request.iter().zip(base_offsets) {
                prop_assert_eq!(base_offset, end);
                end += batches.iter().sum::<usize>() as i64;
            }
            prop_assert_eq!(log.end_offset(), end);
            if n % 5 == 4 {
                let bytes = log.bytes();
                drop(log);
                log = Partition::open(dir.path().into(), config(segment_bytes_max)).unwrap();
                prop_assert_eq!((log.end_offset(), log.bytes()), (end, bytes));
            }
        }
        for from in 0..end {
            prop_assert_eq!(read_all(&log, from, bytes_max), end);
        }
        prop_assert_eq!(log.offset_since(1000).unwrap(), 0);
        prop_assert_eq!(log.offset_since(1001).unwrap(), end);
    }
}

#[test]
fn nothing_of_a_bad_request_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let log = Partition::open(dir.path().into(), config(100_000)).unwrap();
    let mut torn = set(&[3]).to_vec();
    torn.pop();
    assert!(matches!(
        log.append(&[set(&[2]), torn.into()]),
        Err(AppendError::Batch(BatchError::Incomplete))
    ));
    assert!(matches!(
        log.append(&[set(&[2]), set(&[2000])]),
        Err(AppendError::TooLarge { .. })
    ));
    assert_eq!((log.end_offset(), log.bytes()), (0, 0));
    assert_eq!(
        log.append(&[set(&[2]), Bytes::new(), set(&[1, 1])])
            .unwrap(),
        [0, 2, 2]
    );
    log.delete();
    assert!(matches!(
        log.append(&[set(&[2])]),
        Err(AppendError::Deleted)
    ));
}

#[test]
fn offsets_outside_the_log_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let log = Partition::open(
        dir.path().into(),
        PartitionConfig {
            partition_bytes_max: 2000,
            ..config(1000)
        },
    )
    .unwrap();
    for _ in 0..20 {
        log.append(&[set(&[20])]).unwrap();
    }
    assert!(log.evict(SystemTime::now()).unwrap() > 3);
    let start_offset = log.start_offset();
    assert!(start_offset > 100 && log.bytes() <= 2000);
    let cursor = &mut Cursor::default();
    assert!(matches!(
        log.read(cursor, 0, 1),
        Err(ReadError::Evicted { offset: 0, .. })
    ));
    assert!(matches!(
        log.read(cursor, 401, 1),
        Err(ReadError::OutOfRange {
            end_offset: 400,
            ..
        })
    ));
    assert!(log.read(cursor, 400, 1).unwrap().bytes.is_empty());
    assert_eq!(read_all(&log, start_offset, 1), 400);
    let later = SystemTime::now() + Duration::from_secs(60);
    let young = Partition {
        config: PartitionConfig {
            retention: Duration::from_secs(30),
            ..log.config.clone()
        },
        ..log
    };
    young.evict(later).unwrap();
    assert_eq!(young.lock().segments.len(), 1);
}

#[test]
fn a_time_is_found_behind_the_last_batch_that_is_older() {
    let dir = tempfile::tempdir().unwrap();
    // A batch a segment.
    let log = Partition::open(dir.path().into(), config(80)).unwrap();
    for timestamp_ms in [5, 9, 3, 7, 8] {
        let mut batch = BatchBuilder::new();
        let value = vec![Record::new("value")];
        batch.append(&value.as_bytes(0).unwrap()).unwrap();
        log.append(&[batch.finish(0, 0, timestamp_ms).into()])
            .unwrap();
    }
    let since: Vec<i64> = [3, 4, 6, 8, 9]
        .map(|time| log.offset_since(time).unwrap())
        .into();
    assert_eq!(since, [0, 3, 3, 4, 5]);
}

/// The system may report the second sync of what it lost as a success.
#[test]
fn after_a_failed_sync_nothing_is_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let log = Partition::open(dir.path().into(), config(10_000)).unwrap();
    log.append(&[set(&[1])]).unwrap();
    log.sync_failed.store(true, Ordering::Release);
    let refused = log.append(&[set(&[1])]);
    assert!(matches!(refused, Err(AppendError::NotDurable)));
    assert_eq!(log.end_offset(), 1);
}
