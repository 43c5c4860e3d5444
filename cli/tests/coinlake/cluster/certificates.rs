//! Certificates made for one test.

use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    date_time_ymd,
};

/// The name clients expect in the server's certificate; an SPU's stands before it.
pub const DOMAIN: &str = "coinlake.test";

/// Whether a certificate is valid today.
#[derive(Clone, Copy)]
pub enum Validity {
    Valid,
    Expired,
}

/// Who signs certificates, and where they lie.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    dir: PathBuf,
    name: String,
}

/// A certificate and its key.
pub struct Certificate {
    pub cert: PathBuf,
    pub key: PathBuf,
}

impl Authority {
    pub fn new(dir: &Path, name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = Self {
            dir: dir.to_owned(),
            name: name.to_owned(),
            issuer: Issuer::new(params.clone(), key),
        };
        let certificate = params.self_signed(authority.issuer.key()).unwrap();
        std::fs::write(authority.ca_cert(), certificate.pem()).unwrap();
        authority
    }

    /// The certificate to trust.
    pub fn ca_cert(&self) -> PathBuf {
        self.dir.join(format!("{}.ca.pem", self.name))
    }

    pub fn server(&self, validity: Validity) -> Certificate {
        let purpose = ExtendedKeyUsagePurpose::ServerAuth;
        self.sign("server", purpose, validity)
    }

    pub fn client(&self, validity: Validity) -> Certificate {
        let purpose = ExtendedKeyUsagePurpose::ClientAuth;
        self.sign("client", purpose, validity)
    }

    fn sign(
        &self,
        role: &str,
        purpose: ExtendedKeyUsagePurpose,
        validity: Validity,
    ) -> Certificate {
        let names = vec![DOMAIN.to_owned(), format!("*.{DOMAIN}")];
        let mut params = CertificateParams::new(names).unwrap();
        params.extended_key_usages = vec![purpose];
        params.not_before = date_time_ymd(2020, 1, 1);
        let (name, last_year) = match validity {
            Validity::Valid => (role.to_owned(), 2999),
            Validity::Expired => (format!("expired-{role}"), 2021),
        };
        params.not_after = date_time_ymd(last_year, 12, 31);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let file = |kind: &str| self.dir.join(format!("{}.{name}.{kind}.pem", self.name));
        let made = Certificate {
            cert: file("cert"),
            key: file("key"),
        };
        std::fs::write(&made.cert, certificate.pem()).unwrap();
        std::fs::write(&made.key, key.serialize_pem()).unwrap();
        made
    }
}
