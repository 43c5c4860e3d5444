//! What is wrong with certificates, in words: the layers below say "connection failed" or a file's error without the file.

use std::error::Error as StdError;
use std::fs::File;
use std::io;
use std::sync::Once;

use fluvio::config::{TlsConfig, TlsPolicy};
use rustls::{AlertDescription, CertificateError, Error};

/// Several crates bring a provider each; without a choice rustls panics at the first TLS connection.
pub(crate) fn install_crypto_provider() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        // An error means the program has already chosen one, which is as good.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    });
}

/// What keeps a policy from being used at all.
pub(crate) fn unusable(policy: &TlsPolicy) -> Option<String> {
    let paths = match policy {
        TlsPolicy::Disabled | TlsPolicy::Verified(TlsConfig::Inline(_)) => return None,
        TlsPolicy::Anonymous => {
            return Some(
                "the fluvio client cannot connect with tls_policy `anonymous`: set it to `verified`, with certificates"
                    .to_owned(),
            );
        }
        TlsPolicy::Verified(TlsConfig::Files(paths)) => paths,
    };
    [
        ("CA certificate", &paths.ca_cert),
        ("client certificate", &paths.cert),
        ("client key", &paths.key),
    ]
    .into_iter()
    .find_map(|(what, path)| {
        let error = File::open(path).err()?;
        Some(format!(
            "the {what} {} cannot be read ({error}): correct its path in the profile",
            path.display()
        ))
    })
}

/// What is wrong with whose certificate, when that is why a connection failed.
pub(crate) fn certificate_problem(error: &(dyn StdError + 'static)) -> Option<String> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(problem) = tls_error(error).and_then(problem) {
            return Some(problem);
        }
        cause = error.source();
    }
    None
}

/// An I/O error holds a TLS error without naming it as its source.
fn tls_error<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a Error> {
    match error.downcast_ref::<io::Error>() {
        Some(error) => error.get_ref()?.downcast_ref(),
        None => error.downcast_ref(),
    }
}

fn problem(error: &Error) -> Option<String> {
    Some(match error {
        Error::InvalidCertificate(
            CertificateError::Expired | CertificateError::ExpiredContext { .. },
        ) => "the cluster's certificate has expired: renew it on the cluster".to_owned(),
        Error::InvalidCertificate(error) => format!(
            "the cluster's certificate is not accepted ({error}): check ca_cert and domain of the profile"
        ),
        Error::AlertReceived(AlertDescription::CertificateExpired) => {
            "the client certificate of the profile has expired: renew it".to_owned()
        }
        Error::AlertReceived(
            alert @ (AlertDescription::AccessDenied
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateRequired
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateUnknown
            | AlertDescription::DecryptError
            | AlertDescription::UnknownCA
            | AlertDescription::UnsupportedCertificate),
        ) => format!(
            "the cluster does not accept the client certificate of the profile ({alert:?}): use one of its own CA"
        ),
        _ => return None,
    })
}
