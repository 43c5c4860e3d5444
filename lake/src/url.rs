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
use object_store::{ObjectStore, ObjectStoreScheme};
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
    #[cfg(feature = "hdfs")]
    Hdfs(Url),
}

impl LakeUrl {
    /// Parses a path or URL: `lake`, `/var/lib/lake`, `file:///…`, `s3://bucket/prefix`, `gs://…`, `az://…`, and
    /// `hdfs://…` when built with the feature `hdfs`.
    ///
    /// # Errors
    /// A phrase that names the problem and the addresses that work.
    pub fn parse(lake: &str) -> Result<Self, String> {
        if lake.trim().is_empty() {
            return Err("must name a folder, s3://…, gs://… or az://…".to_owned());
        }
        let place = if lake.contains("://") {
            let url =
                Url::parse(lake).map_err(|error| format!("`{lake}` is not a URL: {error}"))?;
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
                #[cfg(feature = "hdfs")]
                "hdfs" => Place::Hdfs(url),
                #[cfg(not(feature = "hdfs"))]
                "hdfs" => {
                    return Err(
                        "this build does not support hdfs://; build it with `--features hdfs`"
                            .to_owned(),
                    );
                }
                other => {
                    return Err(format!(
                        "`{other}://` is not a supported store; use a folder, s3://, gs:// or az://"
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
            #[cfg(feature = "hdfs")]
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
            #[cfg(feature = "hdfs")]
            Place::Hdfs(_) => true,
        }
    }

    /// The store, and where the lake begins in it.
    pub(crate) fn store(&self) -> Result<(Arc<dyn ObjectStore>, ObjectPath), String> {
        macro_rules! cloud {
            ($builder:ty, $url:expr) => {{
                let mut builder = <$builder>::from_env().with_url($url.to_string());
                for (name, value) in &self.options {
                    let key = name.to_ascii_lowercase().parse();
                    let key = key.map_err(|_| format!("option `{name}` is unknown"))?;
                    builder = builder.with_config(key, value.expose_secret());
                }
                let store = builder.build().map_err(|error| error.to_string())?;
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
            Place::S3(url) => cloud!(AmazonS3Builder, url),
            Place::Gcs(url) => cloud!(GoogleCloudStorageBuilder, url),
            Place::Azure(url) => cloud!(MicrosoftAzureBuilder, url),
            #[cfg(feature = "hdfs")]
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

impl fmt::Display for LakeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Folder(folder) => write!(f, "{}", folder.display()),
            Place::S3(url) | Place::Gcs(url) | Place::Azure(url) => write!(f, "{url}"),
            #[cfg(feature = "hdfs")]
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
    }

    #[test]
    fn knows_the_options_of_its_own_store_only() {
        let s3 = LakeUrl::parse("s3://bucket").unwrap();
        assert!(s3.knows_option("aws_region") && s3.knows_option("AWS_ENDPOINT"));
        assert!(!s3.knows_option("aws_regoin"));
        assert!(!LakeUrl::parse("lake").unwrap().knows_option("aws_region"));
    }
}
