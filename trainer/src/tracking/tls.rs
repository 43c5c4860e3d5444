//! How a connection to an MLflow server is secured, by the environment variables that MLflow's own client reads.

use std::fs;

use reqwest::{Certificate, ClientBuilder, Identity};

use super::error::TrackingError;

const INSECURE: &str = "MLFLOW_TRACKING_INSECURE_TLS";
pub(super) const SERVER_CERT: &str = "MLFLOW_TRACKING_SERVER_CERT_PATH";
pub(super) const CLIENT_CERT: &str = "MLFLOW_TRACKING_CLIENT_CERT_PATH";

/// Which servers are trusted, and the client's own certificate.
#[derive(Debug, Clone)]
pub(super) struct Tls {
    trust: Trust,
    client: Option<Identity>,
}

#[derive(Debug, Clone)]
enum Trust {
    /// Whom the operating system trusts.
    System,
    /// These authorities alone.
    Only(Vec<Certificate>),
    /// Anybody.
    Anybody,
}

impl Tls {
    /// # Errors
    /// When a file cannot be read or holds something else, or when the variables contradict each other.
    pub(super) fn from_variables(
        set: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, TrackingError> {
        let insecure = match set(INSECURE).map(|value| value.trim().to_ascii_lowercase()) {
            None => false,
            Some(value) if matches!(&*value, "true" | "1") => true,
            Some(value) if matches!(&*value, "false" | "0") => false,
            Some(_) => return Err(TrackingError::settings(INSECURE, "is not true or false")),
        };
        let trust = match (insecure, set(SERVER_CERT)) {
            (false, None) => Trust::System,
            (true, None) => Trust::Anybody,
            (true, Some(_)) => {
                return Err(TrackingError::settings(
                    INSECURE,
                    &format!("is true, though {SERVER_CERT} says whom to trust: unset one of them"),
                ));
            }
            (false, Some(path)) => {
                let pem = read(SERVER_CERT, &path)?;
                match Certificate::from_pem_bundle(&pem) {
                    Ok(authorities) if !authorities.is_empty() => Trust::Only(authorities),
                    _ => {
                        let problem =
                            format!("names {path}, which holds no certificate in PEM format");
                        return Err(TrackingError::settings(SERVER_CERT, &problem));
                    }
                }
            }
        };
        let client = set(CLIENT_CERT).map(|path| {
            Identity::from_pem(&read(CLIENT_CERT, &path)?).map_err(|_| {
                let problem = format!(
                    "names {path}, which does not hold a certificate and its key in PEM format"
                );
                TrackingError::settings(CLIENT_CERT, &problem)
            })
        });
        Ok(Self {
            trust,
            client: client.transpose()?,
        })
    }

    /// A client that connects this way.
    pub(super) fn secure(&self, builder: ClientBuilder) -> ClientBuilder {
        let builder = match &self.trust {
            Trust::System => builder,
            Trust::Only(authorities) => builder.tls_certs_only(authorities.iter().cloned()),
            Trust::Anybody => builder.tls_danger_accept_invalid_certs(true),
        };
        match &self.client {
            Some(identity) => builder.identity(identity.clone()),
            None => builder,
        }
    }
}

fn read(variable: &'static str, path: &str) -> Result<Vec<u8>, TrackingError> {
    fs::read(path).map_err(|error| {
        let problem = format!("names {path}, which cannot be read: {error}");
        TrackingError::settings(variable, &problem)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(variables: &[(&str, &str)]) -> String {
        let tls = Tls::from_variables(|name| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        });
        tls.unwrap_err().to_string()
    }

    #[test]
    fn what_is_wrong_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notes.pem");
        fs::write(&path, "not a certificate").unwrap();
        let path = path.to_str().unwrap();
        for (variables, said) in [
            (&[(SERVER_CERT, "/nowhere.pem")][..], "cannot be read"),
            (&[(SERVER_CERT, path)], "holds no certificate"),
            (&[(CLIENT_CERT, path)], "a certificate and its key"),
            (&[(INSECURE, "maybe")], "is not true or false"),
            (
                &[(INSECURE, "true"), (SERVER_CERT, path)],
                "unset one of them",
            ),
        ] {
            let refusal = refusal(variables);
            assert!(
                refusal.starts_with(variables[0].0) && refusal.contains(said),
                "{refusal}"
            );
        }
    }
}
