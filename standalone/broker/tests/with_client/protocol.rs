//! The broker on the wire, without the published client: what it advertises, and how it answers requests that the client never sends.

use std::net::SocketAddr;

use fixtures::broker::TestBroker;
use fixtures::patience::within;
use fluvio::dataplane::record::RecordSet;
use fluvio_protocol::api::{Request, RequestHeader, RequestMessage};
use fluvio_protocol::link::versions::{ApiVersionsRequest, ApiVersionsResponse};
use fluvio_protocol::{Decoder, Encoder};
use fluvio_sc_schema::objects::{
    ObjectApiCreateRequest, ObjectApiListRequest, ObjectApiWatchRequest,
};
use fluvio_spu_schema::COMMON_VERSION;
use fluvio_spu_schema::fetch::{FetchPartition, FetchRequest, FetchableTopic};
use fluvio_spu_schema::produce::ProduceRequest;
use fluvio_spu_schema::server::SpuServerApiKey;
use fluvio_spu_schema::server::stream_fetch::StreamFetchRequest;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Clients, numbered};

type Produce = ProduceRequest<RecordSet>;
type Fetch = FetchRequest<RecordSet>;
type StreamFetch = StreamFetchRequest<RecordSet>;

fn frame(body: &[u8]) -> Vec<u8> {
    let mut frame = (body.len() as i32).to_be_bytes().to_vec();
    frame.extend_from_slice(body);
    frame
}

/// A request in its newest version, which also tells the SPU's from the SC's of the same number.
fn request<R: Request>(body: &[u8]) -> Vec<u8> {
    request_with(R::API_KEY, R::MAX_API_VERSION, body)
}

fn request_with(api_key: u16, version: i16, body: &[u8]) -> Vec<u8> {
    let mut header = RequestHeader::new_with_client(api_key, "test");
    header.set_api_version(version);
    let mut bytes = header.as_bytes(0).unwrap().to_vec();
    bytes.extend_from_slice(body);
    frame(&bytes)
}

/// Sends bytes and reads until the broker closes the connection.
async fn until_closed(addr: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut socket = TcpStream::connect(addr).await.unwrap();
    // The broker may close before it has read all.
    let _ = socket.write_all(bytes).await;
    let mut answer = Vec::new();
    let _ = within(socket.read_to_end(&mut answer)).await;
    answer
}

async fn one_answer(addr: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut socket = TcpStream::connect(addr).await.unwrap();
    socket.write_all(bytes).await.unwrap();
    let mut len = [0; 4];
    within(socket.read_exact(&mut len)).await.unwrap();
    let mut answer = vec![0; i32::from_be_bytes(len) as usize];
    within(socket.read_exact(&mut answer)).await.unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_understood_closes_that_connection_only() {
    let broker = TestBroker::start().await;
    broker.create_topic("topic", 1).await;
    let addr = broker.addr();
    let hostile = [
        ("a length of 2 GiB", b"\x7f\xff\xff\xff".to_vec()),
        ("a negative length", b"\xff\xff\xff\xffgarbage".to_vec()),
        (
            "HTTP",
            b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
        ),
        ("an empty frame", frame(b"")),
        ("half a header", frame(b"\0\x12\0")),
        ("a request nobody knows", request_with(4711, 0, b"")),
        (
            "mirroring",
            request_with(SpuServerApiKey::StartMirror as u16, COMMON_VERSION, b""),
        ),
        (
            "a version below 0, in which a small frame announces a billion topics",
            request_with(Produce::API_KEY, -2048, b"\0\x46\0\0\0"),
        ),
        (
            "a produce request that is garbage",
            request::<Produce>(&[0xff; 200]),
        ),
        ("a produce request cut short", request::<Produce>(b"\0\0\0")),
        (
            "a stream fetch that is garbage",
            request::<StreamFetch>(&[0xff; 200]),
        ),
        (
            "a list that is garbage",
            request::<ObjectApiListRequest>(b"\0\x05Topic\0\0\xff\xff"),
        ),
        (
            "a creation that is garbage",
            request::<ObjectApiCreateRequest>(b"\0\x05Topic\0\0\0\x02ab"),
        ),
    ];
    for (what, bytes) in &hostile {
        assert!(until_closed(addr, bytes).await.is_empty(), "{what}");
    }
    broker.produce("topic", numbered(10)).await;
    assert_eq!(broker.values("topic", 0).await, numbered(10));
}

#[tokio::test(flavor = "multi_thread")]
async fn unfinished_frames_keep_nobody_waiting() {
    let broker = TestBroker::start().await;
    broker.create_topic("topic", 1).await;
    let mut sockets = Vec::new();
    for _ in 0..200 {
        let mut socket = TcpStream::connect(broker.addr()).await.unwrap();
        socket
            .write_all(&(60 * 1024 * 1024i32).to_be_bytes())
            .await
            .unwrap();
        sockets.push(socket);
    }
    broker.produce("topic", numbered(10)).await;
    assert_eq!(broker.values("topic", 0).await, numbered(10));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fetch_begins_no_batch_beyond_its_bytes_however_often_it_names_a_partition() {
    let broker = TestBroker::start().await;
    broker.create_topic("topic", 1).await;
    broker.produce("topic", vec!["x".repeat(50_000)]).await;
    let partition = || FetchPartition {
        max_bytes: 1 << 20,
        ..Default::default()
    };
    let fetch = Fetch {
        max_bytes: 60_000,
        topics: vec![FetchableTopic {
            name: "topic".into(),
            fetch_partitions: std::iter::repeat_with(partition).take(1000).collect(),
        }],
        ..Default::default()
    };
    let body = fetch.as_bytes(Fetch::MAX_API_VERSION).unwrap();
    let answer = one_answer(broker.addr(), &request::<Fetch>(&body)).await;
    // Two batches, as the second begins within the 60,000 bytes. The other 998 partitions are answered without records.
    assert!(
        (100_000..250_000).contains(&answer.len()),
        "{} bytes",
        answer.len()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn kinds_nobody_knows_are_empty_lists() {
    let broker = TestBroker::start().await;
    let addr = broker.addr();
    // A list of filters, summary, system.
    let list = b"\0\x07Unheard\0\0\0\x06\0\0\0\0\0\0";
    let answer = one_answer(addr, &request::<ObjectApiListRequest>(list)).await;
    assert_eq!(answer[4..], *b"\0\x07Unheard\0\0\0\x04\0\0\0\0");
    // An epoch, summary.
    let watch = b"\0\x07Unheard\0\0\0\x09\0\0\0\0\0\0\0\0\0";
    let answer = one_answer(addr, &request::<ObjectApiWatchRequest>(watch)).await;
    assert_eq!(
        answer[4..],
        *b"\0\x07Unheard\0\0\0\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_that_are_not_valid_are_refused() {
    let broker = TestBroker::start().await;
    broker.create_topic("topic", 1).await;
    let mut body = Vec::new();
    body.push(0); // no transaction
    body.extend_from_slice(&1i16.to_be_bytes()); // isolation
    body.extend_from_slice(&1000i32.to_be_bytes()); // timeout
    body.extend_from_slice(&1i32.to_be_bytes()); // topics
    body.extend_from_slice(b"\0\x05topic");
    body.extend_from_slice(&1i32.to_be_bytes()); // partitions
    body.extend_from_slice(&0i32.to_be_bytes()); // partition 0
    body.extend_from_slice(&70i32.to_be_bytes()); // bytes of the record set
    body.extend_from_slice(&[7; 70]);
    body.extend_from_slice(&0i32.to_be_bytes()); // modules
    let answer = one_answer(broker.addr(), &request::<Produce>(&body)).await;
    // Correlation id, one topic, its name, one partition, its index, then "other error" with a reason.
    let at = 4 + 4 + 7 + 4 + 4;
    assert_eq!(answer[at..at + 2], 2i16.to_be_bytes());
    assert!(String::from_utf8_lossy(&answer).contains("not valid"));
    assert!(broker.values("topic", 0).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_versions_of_both_servers_are_advertised() {
    let broker = TestBroker::start().await;
    let versions = RequestMessage::new_request(ApiVersionsRequest::default());
    let answer = one_answer(broker.addr(), &frame(&versions.as_bytes(0).unwrap())).await;
    // After the correlation id.
    let advertised = ApiVersionsResponse::decode_from(&mut &answer[4..], 0).unwrap();
    let mut keys = advertised.api_keys;
    keys.retain(|key| key.api_key as u16 == StreamFetch::API_KEY);
    let versions = keys.iter().map(|key| (key.min_version, key.max_version));
    // The SPU's stream fetch and the SC's list have one number.
    assert_eq!(versions.collect::<Vec<_>>(), [(23, 25), (15, 19)]);
}
