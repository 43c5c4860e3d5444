//! A headless Chromium, driven through ChromeDriver.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use fantoccini::wd::{WebDriverCompatibleCommand, WindowHandle};
use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tempfile::TempDir;

/// How long the page may take to get somewhere. Generous: machines that test are busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// Readers of the README load its pictures.
const PICTURE_BYTES_MAX: usize = 100_000;

/// A name that leads browsers here to this machine, as a proxy's does.
pub(crate) const PROXY_NAME: &str = "box.example";

/// A browser with one window.
pub(crate) struct Browser {
    client: Client,
    site: String,
    // Dropped in this order: the driver, which ends its browser, and where that kept its profile.
    _driver: Driver,
    _profile: TempDir,
}

/// A running ChromeDriver.
struct Driver(Child);

impl Drop for Driver {
    fn drop(&mut self) {
        // With the Chromium it started, which would outlive it.
        let group = format!("-{}", self.0.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
        let _ = self.0.wait();
    }
}

/// A command of ChromeDriver's own.
#[derive(Debug)]
struct ChromeCommand {
    path: &'static str,
    body: Value,
}

impl WebDriverCompatibleCommand for ChromeCommand {
    fn endpoint(
        &self,
        base: &url::Url,
        session: Option<&str>,
    ) -> Result<url::Url, url::ParseError> {
        base.join(&format!(
            "session/{}/{}",
            session.unwrap_or_default(),
            self.path
        ))
    }

    fn method_and_body(&self, _: &url::Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(self.body.to_string()))
    }
}

impl Browser {
    /// Starts one; `None`, and says so, where there is no ChromeDriver. `COINLAKE_BROWSER` makes it required.
    pub(crate) async fn start() -> Option<Self> {
        let driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn();
        let mut driver = match driver {
            Ok(driver) => Driver(driver),
            Err(error) => {
                assert!(
                    std::env::var_os("COINLAKE_BROWSER").is_none(),
                    "no chromedriver: {error}"
                );
                println!(
                    "skipped: no chromedriver ({error}); Debian has it in the package chromium-driver"
                );
                return None;
            }
        };
        let port = port_of(&mut driver.0);
        let profile = tempfile::tempdir().unwrap();
        let arguments = [
            "--headless",
            "--hide-scrollbars",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            &format!("--host-resolver-rules=MAP {PROXY_NAME} 127.0.0.1"),
            &format!("--user-data-dir={}", profile.path().display()),
        ];
        let capabilities = json!({
            "goog:chromeOptions": { "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
        });
        let Value::Object(capabilities) = capabilities else {
            unreachable!()
        };
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities)
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .expect("ChromeDriver starts a Chromium");
        let browser = Self {
            client,
            site: String::new(),
            _driver: driver,
            _profile: profile,
        };
        browser.size(1280, 860).await;
        Some(browser)
    }

    /// The console whose pages it goes to.
    pub(crate) fn at(mut self, site: String) -> Self {
        self.site = site;
        self
    }

    /// Goes to a page by its hash, e.g. `#/alerts`.
    pub(crate) async fn go(&self, hash: &str) {
        self.client
            .goto(&format!("{}/{hash}", self.site))
            .await
            .unwrap();
    }

    /// Opens one more tab and looks at it. The others stay open, and are hidden.
    pub(crate) async fn new_tab(&self) -> WindowHandle {
        let opened = self.client.new_window(true).await.unwrap();
        self.look_at(&opened.handle).await;
        opened.handle
    }

    /// The tab that it looks at.
    pub(crate) async fn tab(&self) -> WindowHandle {
        self.client.window().await.unwrap()
    }

    /// Looks at another tab.
    pub(crate) async fn look_at(&self, tab: &WindowHandle) {
        self.client.switch_to_window(tab.clone()).await.unwrap();
        self.devtools("Page.bringToFront", json!({})).await;
    }

    /// Runs JavaScript in the page; the result is what it returns.
    pub(crate) async fn run(&self, script: &str) -> Value {
        let ran = self.client.execute(script, Vec::new()).await;
        ran.unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    /// Waits until an expression is true (as JavaScript sees it), and returns its value.
    pub(crate) async fn until(&self, expression: &str) -> Value {
        let script = format!("return ({expression}) || null");
        let started = Instant::now();
        loop {
            let value = self.run(&script).await;
            if !value.is_null() {
                return value;
            }
            if started.elapsed() > PATIENCE {
                let page = self.run("return document.body.innerText").await;
                panic!(
                    "not within {PATIENCE:?}: {expression}\n{}",
                    page.as_str().unwrap_or_default()
                );
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// A command of the DevTools protocol.
    pub(crate) async fn devtools(&self, command: &str, parameters: Value) -> Value {
        let body = json!({ "cmd": command, "params": parameters });
        let command = ChromeCommand {
            path: "goog/cdp/execute",
            body,
        };
        self.client.issue_cmd(command).await.unwrap()
    }

    /// Gives the page a size, as on another screen.
    pub(crate) async fn size(&self, width: u32, height: u32) {
        let metrics =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", metrics)
            .await;
    }

    /// `light` or `dark`, as if the system were set to it.
    pub(crate) async fn colours(&self, scheme: &str) {
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.devtools("Emulation.setEmulatedMedia", features).await;
    }

    /// Waits until what was asked for so far is drawn.
    pub(crate) async fn next_frame(&self) {
        // What is asked for in one frame is drawn in the next.
        self.run("return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))")
            .await;
    }

    /// Saves what is to be seen under target/screenshots/.
    pub(crate) async fn screenshot(&self, name: &str) {
        let png = self.client.screenshot().await.unwrap();
        std::fs::write(screenshots().join(format!("{name}.png")), png).unwrap();
    }

    /// Saves the page down to its end, or far enough to look at.
    pub(crate) async fn long_screenshot(&self, name: &str, width: u32) {
        const HEIGHT_MAX: u64 = 2_400;
        let height = self
            .run("return Math.max(innerHeight, document.documentElement.scrollHeight)")
            .await;
        let height = height.as_u64().unwrap().min(HEIGHT_MAX);
        let clip = json!({ "x": 0, "y": 0, "width": width, "height": height, "scale": 1 });
        let asked = json!({ "format": "png", "captureBeyondViewport": true, "clip": clip });
        let answer = self.devtools("Page.captureScreenshot", asked).await;
        let png = BASE64.decode(answer["data"].as_str().unwrap()).unwrap();
        std::fs::write(screenshots().join(format!("{name}.png")), png).unwrap();
    }

    /// What a person does to a field: a value, and the event that goes with it.
    pub(crate) async fn choose(&self, field: &str, value: &str) {
        let script = format!(
            "const field = document.querySelector({field:?}); field.value = {value:?}; \
             field.dispatchEvent(new Event(field.tagName === 'SELECT' ? 'change' : 'input'))"
        );
        self.run(&script).await;
    }

    /// Presses a key and lets it go, as a keyboard does.
    pub(crate) async fn press(&self, key: &str) {
        for kind in ["rawKeyDown", "keyUp"] {
            let code = match key {
                "Tab" => 9,
                "ArrowLeft" => 37,
                other => panic!("{other} has no code here"),
            };
            let event =
                json!({ "type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code });
            self.devtools("Input.dispatchKeyEvent", event).await;
        }
    }

    /// Saves a picture that the README shows, small; into docs/ where COINLAKE_UPDATE_DOCS is set.
    pub(crate) async fn picture_for_readme(&self, name: &str) {
        let format = json!({ "format": "webp", "quality": 90 });
        let answer = self.devtools("Page.captureScreenshot", format).await;
        let picture = BASE64.decode(answer["data"].as_str().unwrap()).unwrap();
        let bytes = picture.len();
        println!("{name}.webp: {bytes} bytes");
        assert!(bytes < PICTURE_BYTES_MAX, "{name}.webp has {bytes} bytes");
        let folder = match std::env::var_os("COINLAKE_UPDATE_DOCS") {
            Some(_) => Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs"),
            None => screenshots(),
        };
        std::fs::write(folder.join(format!("{name}.webp")), picture).unwrap();
    }

    /// Forgets what the page has complained of so far.
    pub(crate) async fn forget_complaints(&self) {
        self.log("browser").await;
    }

    /// Ends it; fails when the page has complained, or asked anybody but its own console for anything.
    pub(crate) async fn close(self) {
        let mut complaints = self.log("browser").await;
        complaints.retain(|entry| entry["level"] == "SEVERE" || entry["level"] == "WARNING");
        let mut strangers = Vec::new();
        for entry in self.log("performance").await {
            let message: Value = serde_json::from_str(entry["message"].as_str().unwrap()).unwrap();
            let message = &message["message"];
            if message["method"] == "Network.requestWillBeSent" {
                let url = message["params"]["request"]["url"].as_str().unwrap();
                // What Chromium shows before the first page comes from within itself.
                let inside = url.starts_with("data:") || url.starts_with("chrome");
                if !inside && !url.starts_with(&format!("{}/", self.site)) {
                    strangers.push(url.to_owned());
                }
            }
        }
        self.client.close().await.unwrap();
        assert!(complaints.is_empty(), "{complaints:#?}");
        assert!(strangers.is_empty(), "{strangers:#?}");
    }

    async fn log(&self, kind: &str) -> Vec<Value> {
        let command = ChromeCommand {
            path: "se/log",
            body: json!({ "type": kind }),
        };
        match self.client.issue_cmd(command).await.unwrap() {
            Value::Array(entries) => entries,
            other => panic!("a log is a list, not {other}"),
        }
    }
}

/// Where pictures to look at go.
fn screenshots() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let folder = target.join("screenshots");
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// ChromeDriver says which free port it took.
fn port_of(driver: &mut Child) -> u16 {
    let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
    let port = lines.find_map(|line| {
        let line = line.ok()?;
        let (_, port) = line.split_once("started successfully on port ")?;
        port.trim_end_matches('.').parse().ok()
    });
    port.expect("ChromeDriver says where it listens")
}
