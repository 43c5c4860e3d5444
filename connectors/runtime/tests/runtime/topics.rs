use std::time::Duration;

use connector_runtime::topic::{
    SEGMENT_SIZE_BYTES, TopicError, TopicSettings, ensure_topic, partition_count, wait_for_topics,
};
use fixtures::broker::TestBroker;
use fluvio::metadata::topic::TopicSpec;
use tokio_util::sync::CancellationToken;

use crate::support::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_is_created_once_as_it_is_described() {
    let broker = TestBroker::start().await;
    let client = broker.connect().await;
    let missing = partition_count(&client, TOPIC).await;
    assert!(matches!(missing, Err(TopicError::Missing { .. })));

    let mut settings = TopicSettings::named(TOPIC).with_partitions(3);
    settings.retention = Some(Duration::from_secs(7200));
    assert_eq!(ensure_topic(&client, &settings).await.unwrap(), 3);
    assert_eq!(ensure_topic(&client, &settings).await.unwrap(), 3);
    assert_eq!(
        ensure_topic(&client, &TopicSettings::named(TOPIC))
            .await
            .unwrap(),
        3
    );
    assert_eq!(partition_count(&client, TOPIC).await.unwrap(), 3);

    let admin = client.admin().await;
    let topics = admin
        .list::<TopicSpec, String>(vec![TOPIC.to_owned()])
        .await
        .unwrap();
    assert_eq!(topics[0].spec.retention_secs(), 7200);
    let storage = topics[0].spec.get_storage().unwrap();
    assert_eq!(storage.segment_size, Some(SEGMENT_SIZE_BYTES));

    let other = ensure_topic(&client, &TopicSettings::named(TOPIC).with_partitions(2)).await;
    insta::assert_snapshot!(
        other.unwrap_err(),
        @"topic ticks has 3 partitions, but the configuration asks for 2: set the count to 3, or delete the topic so that it is created again"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_with_another_partition_count_than_its_input_is_to_be_deleted() {
    let broker = TestBroker::start().await;
    let client = broker.connect().await;
    let settings = |name: &str, partitions| TopicSettings::named(name).with_partitions(partitions);
    ensure_topic(&client, &settings("clean", 1)).await.unwrap();
    let (input, stop) = (settings(TOPIC, 3), CancellationToken::new());
    let refused = wait_for_topics(&broker.cluster(), &input, &["clean"], &stop).await;
    insta::assert_snapshot!(
        refused.unwrap_err(),
        @"the partition count of topic clean is 1, but that of its input ticks is 3: delete clean (fluvio topic delete clean) and start again, which creates it with 3"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn two_may_create_the_same_topic() {
    let broker = TestBroker::start().await;
    let (one, two) = (broker.connect().await, broker.connect().await);
    let settings = TopicSettings::named(TOPIC).with_partitions(2);
    let (one, two) = tokio::join!(ensure_topic(&one, &settings), ensure_topic(&two, &settings));
    assert_eq!((one.unwrap(), two.unwrap()), (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_does_not_say_so_has_created_it_all_the_same() {
    let broker = TestBroker::start().await;
    let client = broker.connect().await;
    broker.faults().silent_creations(1);
    let settings = TopicSettings::named(TOPIC).with_partitions(3);
    let ensured = tokio::time::timeout(Duration::from_secs(30), ensure_topic(&client, &settings));
    assert_eq!(ensured.await.unwrap().unwrap(), 3);
    // The caller's connection is good for more.
    assert_eq!(partition_count(&client, TOPIC).await.unwrap(), 3);
    open_writer(&broker)
        .await
        .append(&numbered(0..10))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_the_cluster_refuses_is_an_error() {
    let broker = TestBroker::start().await;
    let refused = ensure_topic(&broker.connect().await, &TopicSettings::named("Not A Name")).await;
    let Err(TopicError::NotCreated { .. }) = refused else {
        panic!("{refused:?}");
    };
}
