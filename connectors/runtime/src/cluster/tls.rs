//! Errors about certificates that name the certificate and the remedy. The layers below report "connection failed", or a
//! file's error without its name.

use std::error::Error as StdError;
use std::fs::File;
use std::io;
use std::sync::Once;

use fluvio::config::{TlsConfig, TlsPolicy};
use rustls::{AlertDescription, CertificateError, Error};

/// Chooses the TLS provider: several crates bring one each, and rustls panics when none is chosen.
pub(crate) fn install_crypto_provider() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        // It fails when the program has chosen one already.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    });
}

/// Why a policy cannot be used at all; `None` when it can.
pub(crate) fn unusable(policy: &TlsPolicy) -> Option<String> {
    let paths = match policy {
        TlsPolicy::Disabled | TlsPolicy::Verified(TlsConfig::Inline(_)) => return None,
        TlsPolicy::Anonymous => {
            return Some(
                "the fluvio client cannot connect with tls_policy `anonymous`: set it to `verified` and add certificates"
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

/// Whose certificate was refused and why; `None` when the connection failed for another reason.
pub(crate) fn certificate_problem(error: &(dyn StdError + 'static)) -> Option<String> {
    anyhow::Chain::new(error).find_map(|error| tls_error(error).and_then(problem))
}

/// The TLS error that this error is or holds: an I/O error holds one without naming it as its source.
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
            "the cluster does not accept the client certificate of the profile ({alert:?}): use one that its CA has signed"
        ),
        _ => return None,
    })
}
