//! Azure Blob Storage by Azurite.

use std::process::Command;

use fixtures::companion::{Companion, find, free_port, http_status};
use tempfile::TempDir;

use super::Place;

/// The one account of every Azurite, and its key.
const ACCOUNT: &str = "devstoreaccount1";
const KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
/// Leave to create containers, signed with that key, until 2099.
const SIGNED: &str = "sv=2020-04-08&ss=b&srt=sco&sp=rwdlac&se=2099-01-01T00:00:00Z&sig=hKg%2BuVH9TuT2zhvBAaxpr6rmD0EAQxz99Nk2HKrJ%2FDo%3D";

/// A server with one container.
pub(super) struct Azurite {
    addr: String,
    _process: Companion,
    _folder: TempDir,
}

impl Azurite {
    pub(super) fn start() -> Option<Self> {
        let program = find("COINLAKE_AZURITE", "azurite-blob")?;
        let folder = tempfile::tempdir().unwrap();
        let port = free_port().to_string();
        let mut command = Command::new(program);
        command
            // It calls home otherwise.
            .args(["--disableTelemetry", "--skipApiVersionCheck"])
            .args(["--blobHost", "127.0.0.1", "--blobPort", &port])
            .args(["--location", "."])
            .current_dir(folder.path());
        let process = Companion::start(&command, &folder.path().join("log"));
        let addr = format!("127.0.0.1:{port}");
        let create = format!("PUT /{ACCOUNT}/lake?restype=container&{SIGNED}");
        process.wait_until("Azurite", || {
            http_status(&addr, &create).is_ok_and(|status| status == 201)
        });
        Some(Self {
            addr,
            _process: process,
            _folder: folder,
        })
    }

    pub(super) fn place(&self) -> Place {
        Place::new("az://lake/market")
            .with("azure_storage_account_name", ACCOUNT)
            .with("azure_storage_account_key", KEY)
            .with("azure_endpoint", format!("http://{}/{ACCOUNT}", self.addr))
            .with("allow_http", "true")
    }
}
