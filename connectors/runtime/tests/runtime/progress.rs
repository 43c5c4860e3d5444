use connector_runtime::cluster::consumer_offset;

use crate::support::*;

#[tokio::test(flavor = "multi_thread")]
async fn progress_shows_in_the_consumer_list() {
    let broker = with_topic().await;
    let mut writer = open_writer(&broker).await;
    writer.append(&numbered(0..100)).await.unwrap();
    let client = broker.connect().await;
    for last_offset in [10, 99] {
        let store = consumer_offset::store(&client, "stage-clean", TOPIC, 0, last_offset);
        store.await.unwrap();
        let stored = client.consumer_offsets().await.unwrap();
        let found: Vec<_> = stored
            .iter()
            .filter(|it| it.consumer_id == "stage-clean" && it.topic == TOPIC)
            .collect();
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].partition, found[0].offset), (0, last_offset));
    }
    let nowhere = consumer_offset::store(&client, "stage-clean", "nothing", 0, 1);
    assert!(nowhere.await.is_err());
}
