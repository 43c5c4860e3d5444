//! S3 by versitygw, on files.

use std::process::Command;

use fixtures::companion::{Companion, find, free_port, http_status};
use tempfile::TempDir;

use super::Place;

const SECRET: &str = "a-secret-for-tests";

/// A server with one bucket.
pub(super) struct Versitygw {
    addr: String,
    _process: Companion,
    _folder: TempDir,
}

impl Versitygw {
    pub(super) fn start() -> Option<Self> {
        let program = find("COINLAKE_VERSITYGW", "versitygw")?;
        let folder = tempfile::tempdir().unwrap();
        let files = folder.path().join("files");
        std::fs::create_dir_all(files.join("bucket")).unwrap();
        let addr = format!("127.0.0.1:{}", free_port());
        let mut command = Command::new(program);
        command
            .args(["--port", &addr, "posix"])
            .arg(files)
            .current_dir(folder.path())
            .env("ROOT_ACCESS_KEY", "key")
            .env("ROOT_SECRET_KEY", SECRET);
        let process = Companion::start(&command, &folder.path().join("log"));
        process.wait_until("versitygw", || http_status(&addr, "GET /").is_ok());
        Some(Self {
            addr,
            _process: process,
            _folder: folder,
        })
    }

    pub(super) fn place(&self) -> Place {
        Place::s3(&self.addr, "key", SECRET)
    }
}
