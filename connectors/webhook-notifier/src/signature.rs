//! The signature that tells a receiver who sent a message.
//!
//! Signed as the Standard Webhooks specification says (standardwebhooks.com), so that receivers find a library that
//! checks it: HMAC-SHA256 over `id.timestamp.body`, base64, in the header `webhook-signature`.

use std::time::Duration;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

/// What a signing key begins with whose bytes are in base64.
const BASE64_KEY: &str = "whsec_";

/// Signs messages.
pub(crate) struct SigningKey(Vec<u8>);

impl SigningKey {
    /// A key as it is, or `whsec_` and its bytes in base64.
    ///
    /// # Errors
    /// When it is empty, or what follows `whsec_` is not base64.
    pub(crate) fn new(secret: &SecretString) -> Result<Self> {
        let text = secret.expose_secret();
        let key = match text.strip_prefix(BASE64_KEY) {
            Some(encoded) => BASE64
                .decode(encoded)
                .ok()
                .with_context(|| format!("what follows {BASE64_KEY} is not base64"))?,
            None => text.as_bytes().to_vec(),
        };
        anyhow::ensure!(!key.is_empty(), "it is empty");
        Ok(Self(key))
    }

    /// The value of `webhook-signature`.
    pub(crate) fn sign(&self, id: &str, timestamp: Duration, body: &str) -> String {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        mac.update(format!("{id}.{}.{body}", timestamp.as_secs()).as_bytes());
        format!("v1,{}", BASE64.encode(mac.finalize().into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_the_specification() {
        // The example of the specification's reference libraries.
        let key =
            SigningKey::new(&"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned().into()).unwrap();
        let signature = key.sign(
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            Duration::from_secs(1_614_265_330),
            r#"{"test": 2432232314}"#,
        );
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_bad_key_is_refused() {
        for key in ["", "whsec_", "whsec_!!!"] {
            assert!(SigningKey::new(&key.to_owned().into()).is_err(), "{key:?}");
        }
        assert!(SigningKey::new(&"correct horse".to_owned().into()).is_ok());
    }
}
