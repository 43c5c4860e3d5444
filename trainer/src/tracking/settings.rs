//! Address and credentials of an MLflow server, from the environment variables that MLflow's own client reads.

use std::fmt;

use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::error::TrackingError;
use super::tls::Tls;

const URI: &str = "MLFLOW_TRACKING_URI";
const USERNAME: &str = "MLFLOW_TRACKING_USERNAME";
const PASSWORD: &str = "MLFLOW_TRACKING_PASSWORD";
const TOKEN: &str = "MLFLOW_TRACKING_TOKEN";
const WORKSPACE: &str = "MLFLOW_WORKSPACE";

/// An MLflow server. Its Debug and Display forms contain no secret.
///
/// ```
/// use trainer::tracking::MlflowServer;
///
/// let variable = |name: &str| match name {
///     "MLFLOW_TRACKING_URI" => Some("http://127.0.0.1:5000/".to_owned()),
///     _ => None,
/// };
/// let server = MlflowServer::from_variables(variable)?.expect("the variable is set");
/// assert_eq!(server.to_string(), "http://127.0.0.1:5000");
/// # Ok::<_, trainer::tracking::TrackingError>(())
/// ```
#[derive(Debug, Clone)]
pub struct MlflowServer {
    /// The address, without credentials or a trailing slash.
    pub(super) url: Url,
    pub(super) sign_in: Option<SignIn>,
    pub(super) tls: Tls,
    /// The workspace that runs and models belong to; without one, the server's default.
    pub(super) workspace: Option<HeaderValue>,
}

#[derive(Debug, Clone)]
pub(super) enum SignIn {
    Password {
        username: String,
        password: SecretString,
    },
    Token(SecretString),
}

impl MlflowServer {
    /// The server that the environment names, if any.
    ///
    /// # Errors
    /// When the variables do not describe a server.
    pub fn from_env() -> Result<Option<Self>, TrackingError> {
        Self::from_variables(|name| std::env::var(name).ok())
    }

    /// Like [`Self::from_env`], with variables from a function.
    ///
    /// # Errors
    /// When the variables do not describe a server.
    pub fn from_variables(
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, TrackingError> {
        let set = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let Some(uri) = set(URI) else {
            return Ok(None);
        };
        let mut url = server_url(uri.trim())?;
        let sign_in = match (set(USERNAME), set(PASSWORD), set(TOKEN)) {
            (Some(username), Some(password), _) => Some(SignIn::Password {
                username,
                password: password.into(),
            }),
            (_, _, Some(token)) => Some(SignIn::Token(token.into())),
            (Some(_), None, None) => {
                return Err(TrackingError::settings(
                    PASSWORD,
                    "is not set, though MLFLOW_TRACKING_USERNAME is",
                ));
            }
            (None, Some(_), None) => {
                return Err(TrackingError::settings(
                    USERNAME,
                    "is not set, though MLFLOW_TRACKING_PASSWORD is",
                ));
            }
            (None, None, None) => in_url(&url),
        };
        if let Some(SignIn::Token(token)) = &sign_in
            && HeaderValue::from_str(token.expose_secret()).is_err()
        {
            return Err(TrackingError::settings(
                TOKEN,
                "has a character that HTTP headers do not allow",
            ));
        }
        let workspace = set(WORKSPACE).map(|name| HeaderValue::from_str(name.trim()));
        let workspace = workspace.transpose().map_err(|_| {
            TrackingError::settings(WORKSPACE, "has a character that HTTP headers do not allow")
        })?;
        let tls = Tls::from_variables(set)?;
        // The credentials are taken; without them the address may be shown.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        Ok(Some(Self {
            url,
            sign_in,
            tls,
            workspace,
        }))
    }

    /// The page of a run in the server's web interface.
    pub(super) fn page_of_run(&self, experiment_id: &str, run_id: &str) -> String {
        format!("{self}/#/experiments/{experiment_id}/runs/{run_id}")
    }

    /// Whether the address is on this machine.
    pub(super) fn is_loopback(&self) -> bool {
        match self.url.host() {
            Some(url::Host::Domain(name)) => name == "localhost",
            Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
            Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
            None => false,
        }
    }
}

impl fmt::Display for MlflowServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.url.as_str().trim_end_matches('/'))
    }
}

fn server_url(uri: &str) -> Result<Url, TrackingError> {
    // Never show the value: it may contain a password.
    let expected = "set it to a server, http://HOST:PORT or https://HOST; `mlflow server` starts one, and without the \
                    variable runs are stored in the data directory";
    let url = Url::parse(uri).map_err(|error| {
        TrackingError::settings(URI, &format!("is not a URL ({error}): {expected}"))
    })?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(TrackingError::settings(
            URI,
            &format!("is a `{}` address: {expected}", url.scheme()),
        ));
    }
    let mut url = url;
    url.set_query(None);
    url.set_fragment(None);
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    Ok(url)
}

/// The credentials of `http://user:password@host`, which MLflow's client accepts.
fn in_url(url: &Url) -> Option<SignIn> {
    let decode = |text: &str| {
        percent_encoding::percent_decode_str(text)
            .decode_utf8_lossy()
            .into_owned()
    };
    let password = url.password()?;
    Some(SignIn::Password {
        username: decode(url.username()),
        password: decode(password).into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(variables: &[(&str, &str)]) -> Result<Option<MlflowServer>, TrackingError> {
        MlflowServer::from_variables(|name| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn without_an_address_there_is_no_server() {
        assert!(server(&[]).unwrap().is_none());
        assert!(server(&[(URI, " ")]).unwrap().is_none());
    }

    #[test]
    fn an_address_that_is_not_a_server_is_refused_with_a_remedy() {
        for uri in [
            "sqlite:///mlflow.db",
            "mlruns",
            "databricks",
            "file:///mlruns",
        ] {
            let error = server(&[(URI, uri)]).unwrap_err().to_string();
            assert!(
                error.starts_with("MLFLOW_TRACKING_URI is") && error.contains("`mlflow server`"),
                "{error}"
            );
        }
    }

    #[test]
    fn a_path_before_the_api_remains() {
        let server = server(&[(URI, "https://example.com/mlflow/")])
            .unwrap()
            .unwrap();
        assert_eq!(server.to_string(), "https://example.com/mlflow");
    }

    #[test]
    fn a_password_wins_over_a_token() {
        let server = server(&[
            (URI, "http://127.0.0.1:5000"),
            (USERNAME, "me"),
            (PASSWORD, "hunter2"),
            (TOKEN, "t0ken"),
        ]);
        let server = server.unwrap().unwrap();
        assert!(matches!(server.sign_in, Some(SignIn::Password { .. })));
        assert!(server.is_loopback());
    }

    #[test]
    fn a_missing_half_of_the_credentials_is_named() {
        let error = server(&[(URI, "http://h"), (USERNAME, "me")]).unwrap_err();
        assert!(error.to_string().starts_with(PASSWORD), "{error}");
    }

    #[test]
    fn nothing_prints_a_secret() {
        let by_url = server(&[(URI, "http://me:hunter2@host:5000")])
            .unwrap()
            .unwrap();
        let by_token = server(&[(URI, "http://host"), (TOKEN, "hunter2")])
            .unwrap()
            .unwrap();
        for server in [by_url, by_token] {
            assert!(server.sign_in.is_some());
            let printed = format!("{server} {server:?}");
            assert!(!printed.contains("hunter2"), "{printed}");
        }
    }
}
