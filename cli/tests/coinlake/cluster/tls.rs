//! TLS profiles, with server and client certificates, against the embedded broker behind a TLS proxy, and against a genuine
//! cluster of a test's own.

use std::path::Path;
use std::process::Output;
use std::sync::Arc;

use fixtures::broker::TestBroker;
use fixtures::certificates::{Authority, Certificate, DOMAIN, Validity};
use fixtures::genuine::{OwnCluster, ServerTls, fluvio_run};
use fixtures::process::{refused, succeeded};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use super::support::program;

/// A cluster whose `addr` speaks TLS alone.
struct TlsCluster {
    addr: String,
    behind: Behind,
}

enum Behind {
    Embedded {
        broker: Box<TestBroker>,
        proxy: JoinHandle<()>,
    },
    Genuine(Box<OwnCluster>),
}

#[derive(Clone, Copy)]
enum Kind {
    Embedded,
    Genuine,
}

const KINDS: [Kind; 2] = [Kind::Embedded, Kind::Genuine];

impl TlsCluster {
    /// None of this kind, where there is nothing to start it with.
    async fn start(
        kind: Kind,
        dir: &Path,
        clients: &Authority,
        server: &Certificate,
    ) -> Option<Self> {
        match kind {
            Kind::Embedded => Some(Self::embedded(clients, server).await),
            Kind::Genuine => Self::genuine(dir, clients, server).await,
        }
    }

    async fn embedded(clients: &Authority, server: &Certificate) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        // Clients come to the SPU through the proxy too.
        let advertise = Some((addr.ip().to_string(), addr.port()));
        let broker = TestBroker::start_with(|config| config.advertise = advertise).await;
        let acceptor = acceptor(clients, server);
        let target = broker.addr();
        let proxy = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    // A client that is turned away has been told why by TLS itself.
                    if let Ok(mut client) = acceptor.accept(stream).await {
                        let mut broker = TcpStream::connect(target).await.unwrap();
                        let _ = tokio::io::copy_bidirectional(&mut client, &mut broker).await;
                    }
                });
            }
        });
        Self {
            addr: addr.to_string(),
            behind: Behind::Embedded {
                broker: Box::new(broker),
                proxy,
            },
        }
    }

    async fn genuine(dir: &Path, clients: &Authority, server: &Certificate) -> Option<Self> {
        let program = fluvio_run()?;
        let tls = ServerTls {
            ca_cert: clients.ca_cert(),
            cert: server.cert.clone(),
            key: server.key.clone(),
        };
        match OwnCluster::start(program, &dir.join("cluster"), Some(tls)).await {
            Ok(own) => Some(Self {
                addr: own.addr(),
                behind: Behind::Genuine(Box::new(own)),
            }),
            Err(log) if log.contains("no process-level CryptoProvider available") => {
                println!("skipped: this fluvio-run cannot do TLS, build it with `-p fluvio-run`");
                None
            }
            Err(log) => panic!("the SC ended: {log}"),
        }
    }

    async fn stop(self) {
        match self.behind {
            Behind::Embedded { mut broker, proxy } => {
                proxy.abort();
                broker.stop().await;
            }
            Behind::Genuine(own) => drop(own),
        }
    }
}

fn acceptor(clients: &Authority, server: &Certificate) -> TlsAcceptor {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut roots = RootCertStore::empty();
    let ca = CertificateDer::from_pem_file(clients.ca_cert()).unwrap();
    roots.add(ca).unwrap();
    let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone())
        .build()
        .unwrap();
    let certificate = CertificateDer::from_pem_file(&server.cert).unwrap();
    let key = PrivateKeyDer::from_pem_file(&server.key).unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![certificate], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

/// Runs `coinlake` with a profile that has these certificates.
async fn coinlake(
    dir: &Path,
    addr: &str,
    trusted: &Authority,
    client: &Certificate,
    arguments: &[&str],
) -> Output {
    let profiles = dir.join("profiles");
    let text = format!(
        "version = \"2.0\"\n[profile.tls]\ncluster = \"tls\"\n[cluster.tls]\nendpoint = \"{addr}\"\n\
         [cluster.tls.tls]\ntls_policy = \"verified\"\ntls_source = \"files\"\n\
         [cluster.tls.tls.certs]\ndomain = \"{DOMAIN}\"\nca_cert = {:?}\ncert = {:?}\nkey = {:?}\n",
        trusted.ca_cert(),
        client.cert,
        client.key
    );
    std::fs::write(&profiles, text).unwrap();
    let mut command = program("coinlake");
    command.env("FLV_PROFILE_PATH", profiles).args(arguments);
    command.output().await.unwrap()
}

const DEPLOY: [&str; 4] = ["deploy", "--yes", "--profile", "tls"];

#[tokio::test(flavor = "multi_thread")]
async fn deploys_and_reads_through_tls() {
    for kind in KINDS {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        let authority = Authority::new(dir, "ours");
        let server = authority.server(Validity::Valid);
        let client = authority.client(Validity::Valid);
        let Some(cluster) = TlsCluster::start(kind, dir, &authority, &server).await else {
            continue;
        };
        let run = async |arguments: &[&str]| {
            coinlake(dir, &cluster.addr, &authority, &client, arguments).await
        };
        let printed = succeeded(&run(&DEPLOY).await);
        assert!(printed.contains("done"), "{printed}");
        let printed = succeeded(&run(&DEPLOY).await);
        assert!(printed.contains("nothing to change"), "{printed}");
        // This asks the SPU, under a name of its own.
        let lake = dir.join("lake");
        std::fs::create_dir(&lake).unwrap();
        let health = [
            "health",
            "--profile",
            "tls",
            "--lake",
            lake.to_str().unwrap(),
        ];
        // No source has run: that is the only problem.
        let output = run(&health).await;
        let printed = String::from_utf8_lossy(&output.stdout);
        let problems: Vec<&str> = printed
            .lines()
            .filter(|line| line.starts_with("problem"))
            .collect();
        assert_eq!(output.status.code(), Some(1), "{printed}");
        assert!(
            matches!(problems.as_slice(), [only] if only.contains("no tick has come yet")),
            "{printed}"
        );
        cluster.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_that_are_not_accepted_are_named() {
    for kind in KINDS {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        let ours = Authority::new(dir, "ours");
        let others = Authority::new(dir, "others");
        let valid = ours.client(Validity::Valid);
        let expired = ours.client(Validity::Expired);
        let foreign = others.client(Validity::Valid);
        let server = ours.server(Validity::Valid);
        let Some(cluster) = TlsCluster::start(kind, dir, &ours, &server).await else {
            continue;
        };
        let missing = Certificate {
            cert: dir.join("nowhere.pem"),
            key: valid.key.clone(),
        };
        let cases = [
            (
                &ours,
                &expired,
                "the client certificate of the profile has expired: renew it",
            ),
            (
                &ours,
                &foreign,
                "the cluster does not accept the client certificate of the profile",
            ),
            (&others, &valid, "the cluster's certificate is not accepted"),
            (&ours, &missing, "nowhere.pem cannot be read"),
        ];
        for (trusted, client, expected) in cases {
            let said = refused(&coinlake(dir, &cluster.addr, trusted, client, &DEPLOY).await);
            assert!(said.contains(expected), "{said}");
        }
        let delete = ["deploy", "--delete", "--profile", "tls"];
        let printed = succeeded(&coinlake(dir, &cluster.addr, &ours, &valid, &delete).await);
        assert!(
            printed.contains("nothing to change"),
            "nothing was half-deployed: {printed}"
        );
        cluster.stop().await;

        let elsewhere = dir.join("elsewhere");
        let server = ours.server(Validity::Expired);
        let Some(cluster) = TlsCluster::start(kind, &elsewhere, &ours, &server).await else {
            continue;
        };
        let said = refused(&coinlake(dir, &cluster.addr, &ours, &valid, &DEPLOY).await);
        assert!(
            said.contains("the cluster's certificate has expired: renew it on the cluster"),
            "{said}"
        );
        cluster.stop().await;
    }
}
