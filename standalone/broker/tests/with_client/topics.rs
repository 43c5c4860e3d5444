//! Topics, SmartModules and table formats through the published client.

use fixtures::broker::TestBroker;
use fixtures::patience::within;
use fluvio::metadata::partition::PartitionSpec;
use fluvio::metadata::smartmodule::SmartModuleSpec;
use fluvio::metadata::spg::SpuGroupSpec;
use fluvio::metadata::spu::SpuSpec;
use fluvio::metadata::tableformat::TableFormatSpec;
use fluvio::metadata::topic::{AddPartition, Deduplication, TopicSpec, UpdateTopicAction};
use fluvio_sc_schema::message::MsgType;
use fluvio_sc_schema::objects::ListRequest;
use futures_util::StreamExt;

use crate::support::{Clients, numbered, wat};

fn spec() -> TopicSpec {
    TopicSpec::new_computed(1, 1, None)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_can_be_used_as_soon_as_it_is_created() {
    let broker = TestBroker::start().await;
    // The client's own cache must know the topic when its creation is answered; without that, most tries fail.
    for n in 0..30 {
        let client = broker.connect().await;
        let name = format!("topic-{n}");
        client
            .admin()
            .await
            .create(name.clone(), false, spec())
            .await
            .unwrap();
        let producer = client.topic_producer(&name).await.unwrap();
        within(producer.send("key", "value").await.unwrap().wait())
            .await
            .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_deduplicates_is_refused_with_the_way_out() {
    let broker = TestBroker::start().await;
    let admin = broker.client().admin().await;
    let mut spec = spec();
    spec.set_deduplication(Some(Deduplication::default()));
    let refused = admin.create("once".to_owned(), false, spec).await;
    let error = refused.unwrap_err().to_string();
    assert!(
        error.contains("does not deduplicate; create the topic on a Fluvio cluster"),
        "{error}"
    );
    assert!(admin.all::<TopicSpec>().await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_are_listed_described_grown_and_deleted() {
    let mut broker = TestBroker::start().await;
    let admin = broker.client().admin().await;
    broker.create_topic("two", 2).await;
    broker.create_topic("one", 1).await;
    broker.produce("one", numbered(5)).await;

    let topics = admin.all::<TopicSpec>().await.unwrap();
    assert_eq!(
        topics
            .iter()
            .map(|topic| topic.name.as_str())
            .collect::<Vec<_>>(),
        ["one", "two"]
    );
    let one = admin
        .list::<TopicSpec, _>(vec!["one".to_owned()])
        .await
        .unwrap();
    assert_eq!((one.len(), one[0].spec.partitions()), (1, 1));
    let system = admin
        .list_with_config::<TopicSpec, String>(ListRequest::new(vec![], false).system(true))
        .await
        .unwrap();
    assert_eq!(system[0].name, "consumer-offset");

    let partitions = admin.all::<PartitionSpec>().await.unwrap();
    assert_eq!(
        partitions
            .iter()
            .map(|one| one.name.as_str())
            .collect::<Vec<_>>(),
        ["one-0", "two-0", "two-1"]
    );
    assert_eq!(partitions[0].status.leader.leo, 5);
    assert!(partitions[0].status.size > 0);
    let spus = admin.all::<SpuSpec>().await.unwrap();
    assert_eq!(
        spus[0].spec.public_endpoint.addr(),
        broker.addr().to_string()
    );
    assert!(spus[0].status.is_online());
    assert!(admin.all::<SpuGroupSpec>().await.unwrap().is_empty());

    let add = UpdateTopicAction::AddPartition(AddPartition { count: 2 });
    admin
        .update::<TopicSpec>("one".to_owned(), add)
        .await
        .unwrap();
    assert_eq!(admin.all::<PartitionSpec>().await.unwrap().len(), 5);
    assert_eq!(broker.values("one", 0).await, numbered(5));

    admin.delete::<TopicSpec>("one").await.unwrap();
    assert_eq!(admin.all::<TopicSpec>().await.unwrap().len(), 1);
    assert!(
        admin
            .delete::<TopicSpec>("one")
            .await
            .unwrap_err()
            .to_string()
            .contains("not found")
    );

    broker.restart().await;
    let admin = broker.client().admin().await;
    assert_eq!(admin.all::<PartitionSpec>().await.unwrap().len(), 2);
    broker.create_topic("one", 1).await;
    assert_eq!(broker.values("one", 0).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_is_refused_with_a_reason() {
    let broker = TestBroker::start().await;
    let admin = broker.client().admin().await;
    broker.create_topic("taken", 1).await;
    for (name, spec, reason) in [
        ("taken", spec(), "already exists"),
        ("Not Valid", spec(), "Invalid topic name"),
        ("replicated", TopicSpec::new_computed(1, 3, None), "use 1"),
        (
            "empty",
            TopicSpec::new_computed(0, 1, None),
            "at least one partition",
        ),
        (
            "huge",
            TopicSpec::new_computed(100_000, 1, None),
            "more than",
        ),
    ] {
        let error = admin
            .create(name.to_owned(), false, spec)
            .await
            .unwrap_err();
        assert!(format!("{error:#}").contains(reason), "{name}: {error:#}");
    }
    assert!(admin.delete::<TopicSpec>("consumer-offset").await.is_err());
    admin
        .create("only-tried".to_owned(), true, spec())
        .await
        .unwrap();
    assert_eq!(admin.all::<TopicSpec>().await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn watchers_see_all_then_every_change() {
    let broker = TestBroker::start().await;
    broker.create_topic("before", 1).await;
    let watcher = broker.connect().await.admin().await;
    let mut topics = watcher.watch::<TopicSpec>().await.unwrap();
    let first = within(topics.next()).await.unwrap().unwrap().inner();
    let names: Vec<_> = first.all.iter().map(|topic| topic.name.as_str()).collect();
    assert_eq!(
        (names, first.changes.len()),
        (vec!["before", "consumer-offset"], 0)
    );

    broker.create_topic("new", 1).await;
    let second = within(topics.next()).await.unwrap().unwrap().inner();
    assert_eq!((second.all.len(), second.changes.len()), (0, 1));
    assert_eq!(
        (
            second.changes[0].header.clone(),
            second.changes[0].content.name.as_str()
        ),
        (MsgType::UPDATE, "new")
    );

    broker
        .client()
        .admin()
        .await
        .delete::<TopicSpec>("before")
        .await
        .unwrap();
    let third = within(topics.next()).await.unwrap().unwrap().inner();
    assert_eq!(
        (
            third.changes[0].header.clone(),
            third.changes[0].content.name.as_str()
        ),
        (MsgType::DELETE, "before")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn modules_and_table_formats_are_kept() {
    let mut broker = TestBroker::start().await;
    broker.create_module("pass", &wat::pass_all()).await;
    broker.create_module("pass", &wat::pass_none()).await; // Creating an existing one replaces it.
    let table = TableFormatSpec {
        name: "table".into(),
        ..Default::default()
    };
    broker
        .client()
        .admin()
        .await
        .create("table".into(), false, table.clone())
        .await
        .unwrap();
    assert!(
        broker
            .client()
            .admin()
            .await
            .create("table".into(), false, table)
            .await
            .is_err()
    );

    broker.restart().await;
    let admin = broker.client().admin().await;
    let modules = admin
        .list_with_params::<SmartModuleSpec, String>(vec![], true)
        .await
        .unwrap();
    assert_eq!((modules.len(), modules[0].name.as_str()), (1, "pass"));
    assert!(modules[0].spec.summary.as_ref().unwrap().wasm_length > 100);
    assert!(modules[0].spec.wasm.payload.is_empty());
    let modules = admin
        .list::<SmartModuleSpec, _>(vec!["pass".to_owned()])
        .await
        .unwrap();
    assert_eq!(
        modules[0].spec.wasm.as_raw_wasm().unwrap(),
        wat::parse_str(&wat::pass_none()).unwrap()
    );
    assert_eq!(admin.all::<TableFormatSpec>().await.unwrap().len(), 1);

    admin.delete::<SmartModuleSpec>("pass").await.unwrap();
    admin.delete::<TableFormatSpec>("table").await.unwrap();
    assert!(admin.delete::<SmartModuleSpec>("pass").await.is_err());
    assert!(admin.all::<SmartModuleSpec>().await.unwrap().is_empty());
    assert!(admin.all::<TableFormatSpec>().await.unwrap().is_empty());
}
