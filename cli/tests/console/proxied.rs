//! The console behind a real nginx, below a path and by another name, as Debian's package has it: nothing is set but where it leads.
//! `COINLAKE_NGINX` names the program where it is not in the PATH.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::ONE_AT_A_TIME;
use crate::browser::{Browser, PROXY_NAME};
use crate::platform::start_console;

/// How long nginx may take to listen.
const PATIENCE: Duration = Duration::from_secs(20);

struct Nginx {
    process: Child,
    port: u16,
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Nginx {
    /// One that leads `/coinlake/` to a console; `None`, and says so, where there is no nginx.
    fn before(console: &str, folder: &Path) -> Option<Self> {
        let program = std::env::var_os("COINLAKE_NGINX").unwrap_or_else(|| "nginx".into());
        let known = Command::new(&program)
            .arg("-v")
            .stderr(Stdio::null())
            .status();
        if let Err(error) = known {
            println!("skipped: no nginx ({error}); Debian has it in the package nginx");
            return None;
        }
        // Another program may take the port between here and there.
        for _ in 0..5 {
            let free = TcpListener::bind("127.0.0.1:0").unwrap();
            let port = free.local_addr().unwrap().port();
            drop(free);
            std::fs::write(folder.join("nginx.conf"), settings(console, port, folder)).unwrap();
            let mut command = Command::new(&program);
            command
                .arg("-p")
                .arg(folder)
                .args(["-c", "nginx.conf", "-e", "stderr"]);
            let mut process = command.spawn().unwrap();
            let started = Instant::now();
            while process.try_wait().unwrap().is_none() {
                if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                    return Some(Self { process, port });
                }
                assert!(started.elapsed() < PATIENCE, "nginx does not listen");
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        panic!("nginx does not start: see above");
    }

    /// The answer to a request by this name.
    fn answer(&self, path: &str, host: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }
}

/// What nginx needs to run anywhere, and what its manual says of a proxy.
fn settings(console: &str, port: u16, folder: &Path) -> String {
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(|name| {
        let folder = folder.join(name);
        format!("{name}_temp_path {};", folder.display())
    });
    format!(
        "daemon off; master_process off; pid nginx.pid; error_log stderr error;\n\
         events {{}}\n\
         http {{\n  access_log off; {}\n  server {{\n    listen 127.0.0.1:{port};\n\
         \x20   location /coinlake/ {{ proxy_pass http://{console}/; proxy_set_header Host $host; }}\n  }}\n}}\n",
        temporary.join(" ")
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_nginx_the_page_works_below_a_path_by_a_name_that_is_allowed() {
    let _alone = ONE_AT_A_TIME.lock().await;
    let lake = tempfile::tempdir().unwrap();
    let folder = tempfile::tempdir().unwrap();
    // No broker there: that is what the stream has to say.
    let console = start_console("127.0.0.1:1", lake.path(), &["--allow-host", PROXY_NAME]);
    let addr = console.word_after("console at http://");
    let Some(nginx) = Nginx::before(&addr, folder.path()) else {
        return;
    };
    // A name that nobody has allowed is refused, with what to set.
    let refused = nginx.answer("/coinlake/", "other.example");
    assert!(refused.starts_with("HTTP/1.1 421"), "{refused}");
    for part in ["not other.example", "console.allowed_hosts", "--allow-host"] {
        assert!(refused.contains(part), "{refused}");
    }
    let Some(browser) = Browser::start().await else {
        return;
    };
    let browser = browser.at(format!("http://{PROXY_NAME}:{}/coinlake", nginx.port));
    browser.go("#/market").await;
    // nginx passes small events on at once, which it does not by itself.
    browser
        .until("document.getElementById('health-text').textContent === '1 problem'")
        .await;
    for (page, ready) in [
        (
            "#/pipeline",
            "document.querySelectorAll('.problems li').length === 1",
        ),
        (
            "#/data/lake",
            "document.querySelectorAll('.choices a').length > 4",
        ),
        (
            "#/alerts",
            "document.querySelector('.nothing:not([hidden])')",
        ),
    ] {
        browser.go(page).await;
        browser.until(ready).await;
    }
    // The tables are asked for from a broker that is not there.
    browser.forget_complaints().await;
    browser.close().await;
}
