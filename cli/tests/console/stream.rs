//! The stream of live updates behind a proxy that fails: it is opened again by itself, and let go where nobody looks.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fixtures::patience::eventually;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use crate::ONE_AT_A_TIME;
use crate::browser::Browser;
use crate::pictures::look;
use crate::platform::start_console;

/// What a proxy does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Pass,
    /// Ends connections, and answers 502.
    BadGateway,
    /// Ends connections without an answer.
    Gone,
    /// Holds the connections that there are and passes nothing more; new ones pass.
    HalfOpen,
}

struct Proxy {
    addr: SocketAddr,
    mode: watch::Sender<Mode>,
    /// How often it answered 502.
    refused: Arc<AtomicU64>,
    _task: AbortOnDropHandle<()>,
}

impl Proxy {
    /// A proxy before a console, which it shows below a path: what comes for that path goes to the root.
    async fn before(upstream: String, path: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (mode, _) = watch::channel(Mode::Pass);
        let refused = Arc::<AtomicU64>::default();
        let (modes, count) = (mode.clone(), refused.clone());
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(pass(
                    stream,
                    upstream.clone(),
                    path,
                    modes.subscribe(),
                    count.clone(),
                ));
            }
        });
        Self {
            addr,
            mode,
            refused,
            _task: AbortOnDropHandle::new(task),
        }
    }

    fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }
}

async fn pass(
    mut client: TcpStream,
    upstream: String,
    path: &str,
    mut mode: watch::Receiver<Mode>,
    refused: Arc<AtomicU64>,
) {
    // A browser also opens connections that it may need.
    let _ = client.peek(&mut [0]).await;
    let now = *mode.borrow_and_update();
    match now {
        Mode::Gone => return,
        Mode::BadGateway => {
            let _ = client.read(&mut [0; 4_096]).await;
            refused.fetch_add(1, Ordering::Relaxed);
            let reply = "HTTP/1.1 502 Bad Gateway\r\ncontent-type: text/html\r\ncontent-length: 3\r\nconnection: close\r\n\r\n502";
            let _ = client.write_all(reply.as_bytes()).await;
            return;
        }
        Mode::Pass | Mode::HalfOpen => {}
    }
    let Ok(mut server) = TcpStream::connect(upstream).await else {
        return;
    };
    let changed = tokio::select! {
        () = relay(&mut client, &mut server, path) => return,
        changed = mode.changed() => changed,
    };
    if changed.is_ok() && *mode.borrow() == Mode::HalfOpen {
        // Until the proxy ends.
        while mode.changed().await.is_ok() {}
    }
}

/// Passes bytes both ways until one side ends; requests lose the path.
async fn relay(client: &mut TcpStream, server: &mut TcpStream, path: &str) {
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    let requests = async {
        let mut bytes = vec![0; 16 << 10];
        while let Ok(length @ 1..) = from_client.read(&mut bytes).await {
            // A browser's request is a text, and comes in one piece.
            let text = String::from_utf8_lossy(&bytes[..length]);
            let text = text.replacen(&format!("GET {path}/"), "GET /", 1);
            if to_server.write_all(text.as_bytes()).await.is_err() {
                break;
            }
        }
    };
    tokio::select! {
        () = requests => {}
        _ = tokio::io::copy(&mut from_server, &mut to_client) => {}
    }
}

/// Counts the streams that the page opens and closes from now on.
const COUNT_STREAMS: &str = "
    window.streamsOpened = window.streamsClosed = 0;
    const Original = EventSource;
    window.EventSource = class extends Original {
        constructor(url) { super(url); window.streamsOpened += 1; }
        close() { window.streamsClosed += 1; super.close(); }
    };";

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_stream_is_opened_again_and_a_hidden_page_has_none() {
    let _alone = ONE_AT_A_TIME.lock().await;
    let Some(browser) = Browser::start().await else {
        return;
    };
    let lake = tempfile::tempdir().unwrap();
    // No broker there: that is what every stream has to say.
    let console = start_console("127.0.0.1:1", lake.path(), &[]);
    let proxy = Proxy::before(console.word_after("console at http://"), "/coinlake").await;
    let browser = browser.at(format!("http://{}/coinlake", proxy.addr));
    let told = "document.getElementById('health-text').textContent === '1 problem'";
    let lost = "document.getElementById('health').dataset.state === 'lost'";
    browser.go("#/market").await;
    browser.until(told).await;

    // An error reply ends a stream for good, as far as browsers go.
    proxy.set(Mode::BadGateway);
    browser.until(lost).await;
    browser
        .until("/^No connection since [0-9:]{8}$/.test(document.getElementById('health-text').textContent) && document.body.classList.contains('lost')")
        .await;
    eventually("a stream is answered with 502", async || {
        proxy.refused.load(Ordering::Relaxed) > 1
    })
    .await;
    // What asks meanwhile gets a sentence.
    browser.go("#/data").await;
    browser
        .until("document.querySelector('.browse .nothing')?.textContent.startsWith('The console answered with status 502')")
        .await;
    proxy.set(Mode::Gone);
    browser.go("#/data/lake").await;
    browser
        .until("document.querySelector('.browse .nothing')?.textContent.startsWith('The console cannot be reached: check that')")
        .await;
    look(&browser, "console-gone").await;
    browser.go("#/market").await;
    browser
        .until("document.querySelector('main .nothing').textContent.startsWith('The console cannot be reached: check that')")
        .await;
    proxy.set(Mode::Pass);
    browser.until(told).await;
    browser
        .until("!document.body.classList.contains('lost')")
        .await;

    // A connection that died in a sleep says nothing.
    browser.run(COUNT_STREAMS).await;
    proxy.set(Mode::HalfOpen);
    browser
        .until(&format!("window.streamsOpened === 1 && {told}"))
        .await;

    // Nobody looks.
    let see = async |state: &str| {
        browser
            .run(&format!(
                "Object.defineProperty(document, 'visibilityState', {{ configurable: true, value: {state:?} }}); \
                 document.dispatchEvent(new Event('visibilitychange'))"
            ))
            .await;
    };
    see("hidden").await;
    browser.until("window.streamsClosed === 1").await;
    see("visible").await;
    browser
        .until(&format!("window.streamsOpened === 2 && {told}"))
        .await;
    // The failures were asked for.
    browser.forget_complaints().await;
    browser.close().await;
}

/// Browsers open six connections to a server: with a stream in each of seven tabs there would be none left to ask on.
#[tokio::test(flavor = "multi_thread")]
async fn the_seventh_tab_works_and_the_first_goes_on_when_it_is_looked_at() {
    const TABS: usize = 7;
    let _alone = ONE_AT_A_TIME.lock().await;
    let Some(browser) = Browser::start().await else {
        return;
    };
    let lake = tempfile::tempdir().unwrap();
    let console = start_console("127.0.0.1:1", lake.path(), &[]);
    let addr = console.word_after("console at http://");
    let browser = browser.at(format!("http://{addr}"));
    let told = "document.getElementById('health-text').textContent === '1 problem'";
    let mut tabs = vec![browser.tab().await];
    loop {
        browser.go("#/market").await;
        browser.until(told).await;
        browser.run(COUNT_STREAMS).await;
        if tabs.len() == TABS {
            break;
        }
        tabs.push(browser.new_tab().await);
    }
    // It has a stream, and is answered beside it.
    browser.go("#/data/lake").await;
    browser
        .until("document.querySelectorAll('.choices a').length > 4")
        .await;
    // Its tables are asked for from a broker that is not there.
    browser.forget_complaints().await;
    for tab in &tabs[..TABS - 1] {
        browser.look_at(tab).await;
        let counted = browser
            .until("window.streamsOpened === 1 && [window.streamsClosed, document.visibilityState]")
            .await;
        assert_eq!(counted, serde_json::json!([0, "visible"]));
    }
    browser.close().await;
}
