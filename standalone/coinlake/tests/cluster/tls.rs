//! TLS profiles, with server and client certificates, against the embedded broker behind a TLS proxy.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Output;
use std::sync::Arc;

use broker::{Broker, BrokerConfig};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::certificates::{Authority, Certificate, DOMAIN, Validity};
use crate::support::{program, refused, succeeded};

/// A broker that is reached by TLS alone.
struct TlsBroker {
    addr: SocketAddr,
    broker: Broker,
    proxy: JoinHandle<()>,
}

impl TlsBroker {
    async fn start(dir: &Path, clients: &Authority, server: &Certificate) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let config = BrokerConfig::new(dir.join("broker"));
        let broker = Broker::start(BrokerConfig {
            // Clients come to the SPU through the proxy too.
            advertise: Some((addr.ip().to_string(), addr.port())),
            ..config
        })
        .await
        .unwrap();
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
            addr,
            broker,
            proxy,
        }
    }

    async fn stop(self) {
        self.proxy.abort();
        self.broker.stop().await;
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
    addr: SocketAddr,
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
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let authority = Authority::new(dir, "ours");
    let server = authority.server(Validity::Valid);
    let client = authority.client(Validity::Valid);
    let broker = TlsBroker::start(dir, &authority, &server).await;
    let run =
        async |arguments: &[&str]| coinlake(dir, broker.addr, &authority, &client, arguments).await;
    let printed = succeeded(&run(&DEPLOY).await);
    assert!(printed.contains("done"), "{printed}");
    let printed = succeeded(&run(&DEPLOY).await);
    assert!(printed.contains("nothing to change"), "{printed}");
    // This asks the SPU, under a name of its own.
    let lake = dir.join("lake");
    let health = [
        "health",
        "--profile",
        "tls",
        "--lake",
        lake.to_str().unwrap(),
    ];
    let printed = succeeded(&run(&health).await);
    assert!(printed.contains("healthy"), "{printed}");
    broker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_that_are_not_accepted_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let ours = Authority::new(dir, "ours");
    let others = Authority::new(dir, "others");
    let valid = ours.client(Validity::Valid);
    let expired = ours.client(Validity::Expired);
    let foreign = others.client(Validity::Valid);
    let server = ours.server(Validity::Valid);
    let broker = TlsBroker::start(dir, &ours, &server).await;
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
        let said = refused(&coinlake(dir, broker.addr, trusted, client, &DEPLOY).await);
        assert!(said.contains(expected), "{said}");
    }
    let printed = succeeded(
        &coinlake(
            dir,
            broker.addr,
            &ours,
            &valid,
            &["deploy", "--delete", "--profile", "tls"],
        )
        .await,
    );
    assert!(
        printed.contains("nothing to change"),
        "nothing was half-deployed: {printed}"
    );
    broker.stop().await;

    let elsewhere = dir.join("elsewhere");
    let server = ours.server(Validity::Expired);
    let broker = TlsBroker::start(&elsewhere, &ours, &server).await;
    let said = refused(&coinlake(dir, broker.addr, &ours, &valid, &DEPLOY).await);
    assert!(
        said.contains("the cluster's certificate has expired: renew it on the cluster"),
        "{said}"
    );
    broker.stop().await;
}
