//! A webhook's receiver: a real HTTP server that answers by a script, and after it that all is well.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use fixtures::patience::wait_for;
use serde_json::Value;
use tokio::runtime::Runtime;

/// Part of the path is a secret, as Slack's are.
pub(crate) const PATH: &str = "/hooks/T0-very-secret-path";

/// How the next message is answered.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Answer {
    Status(u16),
    /// With this body.
    Says(u16, &'static str),
    /// With this `Retry-After`.
    TooMany(&'static str),
    /// Not before so long.
    Slow(Duration),
    /// Sends elsewhere.
    Redirect,
}

/// A message that came.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub at: Instant,
    pub headers: HeaderMap,
    pub text: String,
    pub body: Value,
    /// Whether it was answered with success.
    pub taken: bool,
}

impl Message {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    /// The id of the alert.
    pub(crate) fn id(&self) -> &str {
        self.header("webhook-id")
    }
}

#[derive(Default)]
struct Shared {
    script: Mutex<VecDeque<Answer>>,
    messages: Mutex<Vec<Message>>,
}

pub(crate) struct Receiver {
    shared: Arc<Shared>,
    pub url: String,
    _runtime: Runtime,
}

impl Receiver {
    pub(crate) fn start(script: Vec<Answer>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let shared = Arc::new(Shared {
            script: Mutex::new(script.into()),
            ..Shared::default()
        });
        let app = Router::new()
            .route(PATH, post(take))
            .with_state(shared.clone());
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
            .unwrap();
        let url = format!("http://{}{PATH}", listener.local_addr().unwrap());
        runtime.spawn(async move { axum::serve(listener, app).await });
        Self {
            shared,
            url,
            _runtime: runtime,
        }
    }

    /// Everything that came.
    pub(crate) fn messages(&self) -> Vec<Message> {
        self.shared.messages.lock().unwrap().clone()
    }

    /// Waits until so many messages have been taken, and returns those.
    pub(crate) fn takes(&self, count: usize) -> Vec<Message> {
        let look = || {
            let mut taken = self.messages();
            taken.retain(|message| message.taken);
            (taken.len() >= count).then_some(taken)
        };
        let came = || format!("{:?}", self.messages());
        wait_for(&format!("{count} messages to be taken"), look, came)
    }
}

async fn take(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let answer = shared.script.lock().unwrap().pop_front();
    let text = String::from_utf8(body.to_vec()).unwrap();
    let message = Message {
        at: Instant::now(),
        headers,
        body: serde_json::from_str(&text).unwrap(),
        text,
        taken: answer.is_none(),
    };
    shared.messages.lock().unwrap().push(message);
    match answer {
        None => StatusCode::NO_CONTENT.into_response(),
        Some(Answer::Status(status)) => StatusCode::from_u16(status).unwrap().into_response(),
        Some(Answer::Says(status, body)) => {
            (StatusCode::from_u16(status).unwrap(), body).into_response()
        }
        Some(Answer::TooMany(retry_after)) => (
            StatusCode::TOO_MANY_REQUESTS,
            [("retry-after", retry_after)],
        )
            .into_response(),
        Some(Answer::Slow(time)) => {
            tokio::time::sleep(time).await;
            StatusCode::OK.into_response()
        }
        Some(Answer::Redirect) => (StatusCode::FOUND, [("location", PATH)]).into_response(),
    }
}
