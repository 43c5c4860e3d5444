//! A lake's address: a folder, or the URL of an object store and its options.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::local::LocalFileSystem;
use object_store::path::Path as ObjectPath;
use object_store::{ClientConfigKey, ObjectStore, ObjectStoreScheme};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

/// A lake's address. Parsing it does no I/O.
///
/// ```
/// use lake::LakeUrl;
///
/// let lake = LakeUrl::parse("s3://bucket/lake").unwrap();
/// assert_eq!(lake.scheme(), "s3");
/// assert!(lake.knows_option("aws_region"));
/// assert!(LakeUrl::parse("ftp://host/lake").is_err());
/// ```
#[derive(Debug, Clone)]
pub struct LakeUrl {
    place: Place,
    options: BTreeMap<String, SecretString>,
}

#[derive(Debug, Clone)]
enum Place {
    Folder(PathBuf),
    S3(Url),
    Gcs(Url),
    Azure(Url),
    Hdfs(Url),
}

impl LakeUrl {
    /// Parses a path or URL: `lake`, `/var/lib/lake`, `file:///…`, `s3://bucket/prefix`, `gs://…`, `az://…` and
    /// `hdfs://…`.
    ///
    /// # Errors
    /// A phrase that names the problem and the addresses that work.
    pub fn parse(lake: &str) -> Result<Self, String> {
        if lake.trim().is_empty() {
            return Err("must name a folder, s3://…, gs://…, az://… or hdfs://…".to_owned());
        }
        let place = if lake.contains("://") {
            let url =
                Url::parse(lake).map_err(|error| format!("`{lake}` is not a URL: {error}"))?;
            let has_bucket = url.host_str().is_some_and(|host| !host.is_empty());
            if !has_bucket && !matches!(url.scheme(), "file" | "hdfs") {
                return Err(format!("`{lake}` names no bucket"));
            }
            match url.scheme() {
                "file" => {
                    let folder = url.to_file_path();
                    Place::Folder(
                        folder.map_err(|()| format!("`{lake}` does not name a local folder"))?,
                    )
                }
                "s3" | "s3a" => Place::S3(url),
                "gs" => Place::Gcs(url),
                "az" | "adl" | "azure" | "abfs" | "abfss" => Place::Azure(url),
                "hdfs" => Place::Hdfs(url),
                other => {
                    return Err(format!(
                        "`{other}://` is not a supported store; use a folder, s3://, gs://, az:// or hdfs://"
                    ));
                }
            }
        } else {
            Place::Folder(PathBuf::from(lake))
        };
        Ok(Self {
            place,
            options: BTreeMap::new(),
        })
    }

    /// Adds options of the object store. They win over the environment (`AWS_…`, `GOOGLE_…`, `AZURE_…`).
    pub fn with_options(
        mut self,
        options: impl IntoIterator<Item = (String, SecretString)>,
    ) -> Self {
        self.options.extend(options);
        self
    }

    /// The local folder; `None` for an object store.
    pub fn folder(&self) -> Option<&Path> {
        match &self.place {
            Place::Folder(folder) => Some(folder),
            _ => None,
        }
    }

    /// The kind of store, for messages: `local`, `s3`, `gs`, `az` or `hdfs`.
    pub fn scheme(&self) -> &'static str {
        match &self.place {
            Place::Folder(_) => "local",
            Place::S3(_) => "s3",
            Place::Gcs(_) => "gs",
            Place::Azure(_) => "az",
            Place::Hdfs(_) => "hdfs",
        }
    }

    /// Whether the store has an option of that name, in any case.
    pub fn knows_option(&self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        match &self.place {
            Place::Folder(_) => false,
            Place::S3(_) => name.parse::<AmazonS3ConfigKey>().is_ok(),
            Place::Gcs(_) => name.parse::<GoogleConfigKey>().is_ok(),
            Place::Azure(_) => name.parse::<AzureConfigKey>().is_ok(),
            // Hadoop has no complete list of its settings.
            Place::Hdfs(_) => true,
        }
    }

    /// The store, and where the lake begins in it.
    pub(crate) fn store(&self) -> Result<(Arc<dyn ObjectStore>, ObjectPath), String> {
        macro_rules! configured {
            ($builder:ty, $url:expr) => {{
                let mut builder = <$builder>::from_env().with_url($url.to_string());
                for (name, value) in &self.options {
                    let key = name.to_ascii_lowercase().parse();
                    let key = key.map_err(|_| format!("option `{name}` is unknown"))?;
                    builder = builder.with_config(key, value.expose_secret());
                }
                builder
            }};
        }
        macro_rules! opened {
            ($builder:expr, $url:expr) => {{
                let store = $builder.build().map_err(|error| error.to_string())?;
                let (_, root) =
                    ObjectStoreScheme::parse($url).map_err(|error| error.to_string())?;
                Ok((Arc::new(store) as Arc<dyn ObjectStore>, root))
            }};
        }
        match &self.place {
            Place::Folder(folder) => {
                let store =
                    LocalFileSystem::new_with_prefix(folder).map_err(|error| error.to_string())?;
                Ok((Arc::new(store), ObjectPath::default()))
            }
            Place::S3(url) => {
                use AmazonS3ConfigKey as Key;
                let builder = configured!(AmazonS3Builder, url);
                let endpoint = [Key::S3Endpoint, Key::Endpoint]
                    .iter()
                    .find_map(|key| builder.get_config_value(key));
                let allow_http = Key::Client(ClientConfigKey::AllowHttp);
                check_endpoint(endpoint, builder.get_config_value(&allow_http))?;
                check_credentials(&builder, std::env::var_os("AWS_PROFILE").is_some())?;
                opened!(builder, url)
            }
            Place::Gcs(url) => opened!(configured!(GoogleCloudStorageBuilder, url), url),
            Place::Azure(url) => {
                let builder = configured!(MicrosoftAzureBuilder, url);
                let endpoint = builder.get_config_value(&AzureConfigKey::Endpoint);
                let allow_http = AzureConfigKey::Client(ClientConfigKey::AllowHttp);
                check_endpoint(endpoint, builder.get_config_value(&allow_http))?;
                opened!(builder, url)
            }
            Place::Hdfs(url) => {
                let options = self.options.iter();
                let store = hdfs_native_object_store::HdfsObjectStoreBuilder::new()
                    .with_url(&url[..url::Position::BeforePath])
                    .with_config(
                        options
                            .map(|(name, value)| (name.clone(), value.expose_secret().to_owned())),
                    )
                    .build()
                    .map_err(|error| error.to_string())?;
                let root =
                    ObjectPath::from_url_path(url.path()).map_err(|error| error.to_string())?;
                Ok((Arc::new(store), root))
            }
        }
    }
}

/// Without leave a client speaks no plain HTTP: every request would fail, after many attempts.
fn check_endpoint(endpoint: Option<String>, allow_http: Option<String>) -> Result<(), String> {
    let is_plain = endpoint.filter(|endpoint| endpoint.starts_with("http://"));
    let is_allowed = allow_http.as_deref().is_some_and(is_yes);
    match is_plain {
        Some(endpoint) if !is_allowed => Err(format!(
            "its endpoint {endpoint} is plain HTTP; use https://, or set the option allow_http to true (for S3: AWS_ALLOW_HTTP \
             in the environment)"
        )),
        _ => Ok(()),
    }
}

/// As object_store reads an option.
fn is_yes(value: &str) -> bool {
    matches!(
        value.to_ascii_lowercase().as_str(),
        "1" | "true" | "on" | "yes" | "y"
    )
}

/// Without credentials the client would ask for an instance's role, for minutes where there is none.
fn check_credentials(builder: &AmazonS3Builder, has_profile: bool) -> Result<(), String> {
    use AmazonS3ConfigKey as Key;
    let sources = [
        Key::AccessKeyId,
        Key::SecretAccessKey,
        Key::WebIdentityTokenFile,
        Key::ContainerCredentialsRelativeUri,
        Key::ContainerCredentialsFullUri,
        Key::MetadataEndpoint,
    ];
    let is_set = |key| builder.get_config_value(key).is_some();
    let unsigned = builder.get_config_value(&Key::SkipSignature);
    let is_signed = !unsigned.as_deref().is_some_and(is_yes);
    if has_profile && is_signed && !sources.iter().any(is_set) {
        return Err(
            "no credentials are set but AWS_PROFILE, and profiles are not read; set AWS_ACCESS_KEY_ID and \
             AWS_SECRET_ACCESS_KEY (`aws configure export-credentials --format env` prints them), or unset AWS_PROFILE to use \
             the machine's role"
                .to_owned(),
        );
    }
    Ok(())
}

impl fmt::Display for LakeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Folder(folder) => write!(f, "{}", folder.display()),
            Place::S3(url) | Place::Gcs(url) | Place::Azure(url) => write!(f, "{url}"),
            Place::Hdfs(url) => write!(f, "{url}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_folders_and_stores() {
        for (lake, scheme) in [
            ("lake", "local"),
            ("/var/lib/lake", "local"),
            ("file:///var/lib/lake", "local"),
            ("s3://bucket/lake", "s3"),
            ("gs://bucket", "gs"),
            ("az://container/lake", "az"),
        ] {
            assert_eq!(LakeUrl::parse(lake).unwrap().scheme(), scheme, "{lake}");
        }
    }

    #[test]
    fn an_unknown_store_is_refused_by_name() {
        let problem = LakeUrl::parse("ftp://host/lake").unwrap_err();
        assert!(problem.contains("ftp://"), "{problem}");
        assert!(LakeUrl::parse(" ").is_err());
        let problem = LakeUrl::parse("s3:///lake").unwrap_err();
        assert!(problem.contains("no bucket"), "{problem}");
    }

    #[test]
    fn knows_the_options_of_its_own_store_only() {
        let s3 = LakeUrl::parse("s3://bucket").unwrap();
        assert!(s3.knows_option("aws_region") && s3.knows_option("AWS_ENDPOINT"));
        assert!(!s3.knows_option("aws_regoin"));
        assert!(!LakeUrl::parse("lake").unwrap().knows_option("aws_region"));
    }

    #[test]
    fn a_profile_is_no_credentials() {
        let s3 = || AmazonS3Builder::new().with_url("s3://bucket");
        let problem = check_credentials(&s3(), true).unwrap_err();
        assert!(problem.contains("profiles are not read"), "{problem}");
        check_credentials(&s3(), false).unwrap();
        check_credentials(&s3().with_access_key_id("key"), true).unwrap();
        check_credentials(&s3().with_skip_signature(true), true).unwrap();
    }

    #[test]
    fn plain_http_needs_leave() {
        for (lake, endpoint, others) in [
            ("s3://bucket", "aws_endpoint", ""),
            (
                "az://container",
                "azure_endpoint",
                "azure_storage_account_name",
            ),
        ] {
            let option =
                |name: &str, value: &str| (name.to_owned(), SecretString::from(value.to_owned()));
            let mut options = vec![option(endpoint, "http://127.0.0.1:9000")];
            options.extend((!others.is_empty()).then(|| option(others, "x")));
            let url = LakeUrl::parse(lake).unwrap().with_options(options);
            let problem = url.store().unwrap_err();
            assert!(problem.contains("allow_http"), "{problem}");
            url.with_options([option("allow_http", "true")])
                .store()
                .unwrap();
        }
    }
}
