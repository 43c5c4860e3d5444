//! Google Cloud Storage by fake-gcs-server, which does not speak all of the XML that object_store does: a translation to
//! JSON is in front of it.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Arc;

use bytes::Bytes;
use fixtures::companion::{Companion, find, free_port, http_status};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::{Body, HttpError, HttpRequest, HttpResponse};
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpStream;
use url::Url;

use super::{Place, respond, serve};

const BODY_BYTES_MAX: usize = 64 << 20;

/// A server with one bucket.
pub(super) struct FakeGcs {
    addr: String,
    _process: Companion,
    _folder: TempDir,
}

impl FakeGcs {
    pub(super) async fn start() -> Option<Self> {
        let program = find("COINLAKE_FAKE_GCS", "fake-gcs-server")?;
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("files/bucket")).unwrap();
        let port = free_port().to_string();
        let addr = format!("127.0.0.1:{port}");
        let mut command = Command::new(program);
        command
            .args(["-scheme", "http", "-host", "127.0.0.1", "-port", &port])
            .args(["-backend", "filesystem", "-filesystem-root", "files"])
            .args(["-public-host", &addr])
            .current_dir(folder.path());
        let process = Companion::start(&command, &folder.path().join("log"));
        process.wait_until("fake-gcs-server", || {
            http_status(&addr, "GET /storage/v1/b").is_ok_and(|status| status == 200)
        });
        let server = addr.clone();
        let parts = Parts::default();
        let translate = move |request| translated(server.clone(), parts.clone(), request);
        let translation = serve(translate).await;
        Some(Self {
            addr: translation.to_string(),
            _process: process,
            _folder: folder,
        })
    }

    pub(super) fn place(&self) -> Place {
        Place::new("gs://bucket/lake")
            .with("google_base_url", format!("http://{}", self.addr))
            .with("google_bearer_token", "anything")
    }
}

/// The parts of unfinished uploads, by the object's name and the part's number. An upload's id is the name of its object.
type Parts = Arc<Mutex<BTreeMap<(String, u32), Bytes>>>;

/// Listings and uploads become those of the JSON interface, uploads in parts one; the rest goes through.
async fn translated(
    server: String,
    parts: Parts,
    request: HttpRequest,
) -> Result<HttpResponse, HttpError> {
    let url = Url::parse(&format!("http://{server}{}", request.uri())).unwrap();
    let (bucket, object) = match url.path()[1..].split_once('/') {
        Some((bucket, object)) => (bucket.to_owned(), Some(object.to_owned())),
        None => (url.path()[1..].to_owned(), None),
    };
    let asked = |name: &str| {
        let mut pairs = url.query_pairs();
        let found = pairs.find(|(asked, _)| asked == name);
        found.map(|(_, value)| value.into_owned())
    };
    match (request.method().as_str(), object) {
        ("GET", None) => list(&server, &bucket, asked).await,
        ("POST", Some(object)) if asked("uploads").is_some() => Ok(respond(
            200,
            format!(
                "<R><Bucket>{bucket}</Bucket><Key>{object}</Key><UploadId>{object}</UploadId></R>"
            ),
        )),
        ("PUT", Some(object)) if asked("uploadId").is_some() => {
            let number = asked("partNumber").unwrap().parse().unwrap();
            let body = request.into_body().store_all_limited(BODY_BYTES_MAX).await;
            let body = body.map_err(HttpError::new)?;
            parts.lock().insert((object, number), body);
            let mut answer = respond(200, "");
            answer.headers_mut().insert("etag", number.into());
            Ok(answer)
        }
        ("POST", Some(object)) if asked("uploadId").is_some() => {
            let mut whole = Vec::new();
            parts.lock().retain(|(of, _), part| {
                let is_other = *of != object;
                if !is_other {
                    whole.extend_from_slice(part);
                }
                is_other
            });
            let whole = hyper::Request::put("/").body(Body::from(Bytes::from(whole)));
            let uploaded = upload(&server, &bucket, &object, whole.unwrap()).await?;
            let body = "<R><ETag>whole</ETag></R>";
            let mut answer = respond(uploaded.status().as_u16(), body);
            *answer.headers_mut() = uploaded.headers().clone();
            Ok(answer)
        }
        ("PUT", Some(object)) => upload(&server, &bucket, &object, request).await,
        _ => forward(&server, request).await,
    }
}

/// <https://cloud.google.com/storage/docs/json_api/v1/objects/list>
async fn list(
    server: &str,
    bucket: &str,
    asked: impl Fn(&str) -> Option<String>,
) -> Result<HttpResponse, HttpError> {
    let after = asked("start-after").unwrap_or_default();
    let mut json = format!("/storage/v1/b/{bucket}/o?");
    for (name, value) in [
        ("prefix", asked("prefix")),
        ("delimiter", asked("delimiter")),
        ("pageToken", asked("continuation-token")),
    ] {
        if let Some(value) = value {
            json += &format!("{name}={}&", encoded(&value));
        }
    }
    let request = hyper::Request::get(json).body(Body::empty()).unwrap();
    let (status, _, body) = exchange(server, request).await?;
    if status == 404 {
        return Ok(respond(404, "<Error><Code>NoSuchBucket</Code></Error>"));
    }
    let found: Value =
        serde_json::from_slice(&body).map_err(|error| HttpError::new(error.into()))?;
    let mut xml = "<ListBucketResult>".to_owned();
    for item in found["items"].as_array().into_iter().flatten() {
        let text = |name: &str| item[name].as_str().unwrap_or_default();
        if text("name") > after.as_str() {
            xml += &format!(
                "<Contents><Key>{}</Key><Size>{}</Size><LastModified>{}</LastModified></Contents>",
                text("name"),
                text("size"),
                text("updated")
            );
        }
    }
    for prefix in found["prefixes"].as_array().into_iter().flatten() {
        let prefix = prefix.as_str().unwrap_or_default();
        xml += &format!("<CommonPrefixes><Prefix>{prefix}</Prefix></CommonPrefixes>");
    }
    if let Some(token) = found["nextPageToken"].as_str() {
        xml += &format!("<NextContinuationToken>{token}</NextContinuationToken>");
    }
    Ok(respond(200, xml + "</ListBucketResult>"))
}

/// <https://cloud.google.com/storage/docs/json_api/v1/objects/insert>
async fn upload(
    server: &str,
    bucket: &str,
    object: &str,
    request: HttpRequest,
) -> Result<HttpResponse, HttpError> {
    let name = percent_encoding::percent_decode_str(object).decode_utf8_lossy();
    let mut json = format!(
        "/upload/storage/v1/b/{bucket}/o?uploadType=media&name={}",
        encoded(&name)
    );
    if let Some(generation) = request.headers().get("x-goog-if-generation-match") {
        json += &format!("&ifGenerationMatch={}", generation.to_str().unwrap());
    }
    let upload = hyper::Request::post(json)
        .body(request.into_body())
        .unwrap();
    let (status, _, body) = exchange(server, upload).await?;
    let made: Value = serde_json::from_slice(&body).unwrap_or_default();
    let mut answer = respond(status, "");
    for (header, field) in [("etag", "etag"), ("x-goog-generation", "generation")] {
        if let Some(value) = made[field].as_str() {
            answer.headers_mut().insert(header, value.parse().unwrap());
        }
    }
    Ok(answer)
}

async fn forward(server: &str, request: HttpRequest) -> Result<HttpResponse, HttpError> {
    let is_head = request.method() == "HEAD";
    let (status, mut headers, body) = exchange(server, request).await?;
    let mut answer = HttpResponse::new(Body::from(body));
    *answer.status_mut() = status.try_into().unwrap();
    headers.remove("transfer-encoding");
    if !is_head {
        headers.remove("content-length");
    }
    *answer.headers_mut() = headers;
    Ok(answer)
}

/// Sends a request to the server, on a connection of its own.
async fn exchange(
    server: &str,
    request: HttpRequest,
) -> Result<(u16, hyper::HeaderMap, Bytes), HttpError> {
    let (mut head, mut body) = request.into_parts();
    let body = body.store_all_limited(BODY_BYTES_MAX).await;
    let body = body.map_err(HttpError::new)?;
    head.headers.insert("host", server.parse().unwrap());
    head.headers.remove("transfer-encoding");
    head.headers.insert("content-length", body.len().into());
    let failed = |error: hyper::Error| HttpError::new(error.into());
    let socket = TcpStream::connect(server).await;
    let socket = socket.map_err(|error| HttpError::new(error.into()))?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(socket))
        .await
        .map_err(failed)?;
    tokio::spawn(connection);
    let request = hyper::Request::from_parts(head, Body::from(body));
    let (head, body) = sender
        .send_request(request)
        .await
        .map_err(failed)?
        .into_parts();
    let body = Body::from(body).store_all_limited(BODY_BYTES_MAX).await;
    Ok((
        head.status.as_u16(),
        head.headers,
        body.map_err(HttpError::new)?,
    ))
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}
