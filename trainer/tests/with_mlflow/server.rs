//! A real MLflow server on SQLite.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// MLflow imports a lot, on a machine that may be busy.
const START_DEADLINE: Duration = Duration::from_secs(180);

/// Who may use the server with sign-in.
pub const ADMIN: (&str, &str) = ("admin", "a-password-for-tests");

/// A running server. It ends when the test process ends, however that comes about.
pub struct Server {
    pub addr: String,
    folder: TempDir,
    _child: Child,
    _alive: ChildStdin,
}

/// The `mlflow` command, where there is one.
pub fn command() -> Option<PathBuf> {
    let named = std::env::var_os("COINLAKE_MLFLOW").map(PathBuf::from);
    if named.is_none() {
        println!("skipped: COINLAKE_MLFLOW names no mlflow command");
    }
    named
}

/// The server that most tests share; every test keeps to experiments and models of its own.
pub fn server() -> Option<&'static Server> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    let start = || Some(Server::start(&command()?, &[], &[]));
    SERVER.get_or_init(start).as_ref()
}

/// One of the test's own, for names that another test uses too.
#[allow(dead_code)] // for the tests of `coinlake train`
pub fn own_server() -> Option<Server> {
    Some(Server::start(&command()?, &[], &[]))
}

/// One that asks who is there.
pub fn server_with_sign_in() -> Option<&'static Server> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    let start = || {
        let command = command()?;
        let settings = [
            ("MLFLOW_AUTH_ADMIN_USERNAME", ADMIN.0),
            ("MLFLOW_AUTH_ADMIN_PASSWORD", ADMIN.1),
            ("MLFLOW_FLASK_SERVER_SECRET_KEY", "only for tests"),
        ];
        Some(Server::start(
            &command,
            &["--app-name", "basic-auth"],
            &settings,
        ))
    };
    SERVER.get_or_init(start).as_ref()
}

impl Server {
    fn start(mlflow: &Path, arguments: &[&str], settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Free a moment ago; nothing else on this machine asks for this very port.
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let addr = format!("127.0.0.1:{port}");
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        // The shell ends the server and its workers when our end of its input closes, which a kill does too.
        let mut child = Command::new("sh")
            .args([
                "-c",
                r#"setsid "$@" & read -r _; kill -- -$!; wait"#,
                "mlflow",
            ])
            .arg(mlflow)
            .args(["server", "--host", "127.0.0.1", "--port", &port.to_string()])
            .args([
                "--workers",
                "1",
                "--backend-store-uri",
                "sqlite:///mlflow.db",
            ])
            .args(["--artifacts-destination", "artifacts"])
            .args(arguments)
            .current_dir(folder.path())
            .env("MLFLOW_DISABLE_TELEMETRY", "true")
            .env("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false")
            .envs(settings.iter().copied())
            .stdin(Stdio::piped())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let server = Self {
            addr,
            folder,
            _alive: child.stdin.take().unwrap(),
            _child: child,
        };
        server.wait();
        server
    }

    fn wait(&self) {
        let began = Instant::now();
        while !self.is_healthy() {
            assert!(
                began.elapsed() < START_DEADLINE,
                "no MLflow server after {} s: {}",
                began.elapsed().as_secs(),
                std::fs::read_to_string(self.folder.path().join("log")).unwrap()
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn is_healthy(&self) -> bool {
        let ask = || -> std::io::Result<String> {
            let mut stream = TcpStream::connect(&self.addr)?;
            let head = format!(
                "GET /health HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
                self.addr
            );
            stream.write_all(head.as_bytes())?;
            let mut reply = String::new();
            stream.read_to_string(&mut reply)?;
            Ok(reply)
        };
        ask().is_ok_and(|reply| reply.starts_with("HTTP/1.1 200"))
    }

    pub fn uri(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// The server's database.
    pub fn database(&self) -> PathBuf {
        self.folder.path().join("mlflow.db")
    }
}
