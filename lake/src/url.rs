//! Where a lake is: a folder, or the URL of an object store and its options.

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

/// A lake's address. Parsing it touches nothing.
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
    /// Understands a path or URL.
    ///
    /// # Errors
    /// A phrase that says what is wrong.
    pub fn parse(lake: &str) -> Result<Self, String> {
        if lake.trim().is_empty() {
            return Err("say where the lake is: a folder, s3://…, gs://… or az://…".to_owned());
        }
        let place = if lake.contains("://") {
            let url = Url::parse(lake).map_err(|e| format!("`{lake}` is no URL: {e}"))?;
            match url.scheme() {
                "file" => {
                    let folder = url.to_file_path();
                    Place::Folder(folder.map_err(|()| format!("`{lake}` names no local folder"))?)
                }
                "s3" | "s3a" => Place::S3(url),
                "gs" => Place::Gcs(url),
                "az" | "adl" | "azure" | "abfs" | "abfss" => Place::Azure(url),
                #[cfg(feature = "hdfs")]
                "hdfs" => Place::Hdfs(url),
                #[cfg(not(feature = "hdfs"))]
                "hdfs" => {
                    return Err(
                        "this build has no HDFS; build parquet-sink with `--features hdfs`"
                            .to_owned(),
                    );
                }
                other => {
                    return Err(format!(
                        "`{other}://` is no store this connector knows; use a folder, s3://, gs:// or az://"
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

    /// With options of the store.
    pub fn with_options(
        mut self,
        options: impl IntoIterator<Item = (String, SecretString)>,
    ) -> Self {
        self.options.extend(options);
        self
    }

    /// The local folder, if it is one.
    pub fn folder(&self) -> Option<&Path> {
        match &self.place {
            Place::Folder(folder) => Some(folder),
            _ => None,
        }
    }

    /// What kind of store it is, for messages.
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

    /// Whether the store has an option of that name.
    pub fn knows_option(&self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        match &self.place {
            Place::Folder(_) => false,
            Place::S3(_) => name.parse::<AmazonS3ConfigKey>().is_ok(),
            Place::Gcs(_) => name.parse::<GoogleConfigKey>().is_ok(),
            Place::Azure(_) => name.parse::<AzureConfigKey>().is_ok(),
            // Hadoop's own settings, of which there is no list.
            #[cfg(feature = "hdfs")]
            Place::Hdfs(_) => true,
        }
    }

    /// The store, and where the lake begins in it.
    pub(super) fn store(&self) -> Result<(Arc<dyn ObjectStore>, ObjectPath), String> {
        macro_rules! cloud {
            ($builder:ty, $url:expr) => {{
                let mut builder = <$builder>::from_env().with_url($url.to_string());
                for (name, value) in &self.options {
                    let key = name.to_ascii_lowercase().parse();
                    let key = key.map_err(|_| format!("option `{name}` is unknown"))?;
                    builder = builder.with_config(key, value.expose_secret());
                }
                let store = builder.build().map_err(|e| e.to_string())?;
                let (_, root) = ObjectStoreScheme::parse($url).map_err(|e| e.to_string())?;
                Ok((Arc::new(store) as Arc<dyn ObjectStore>, root))
            }};
        }
        match &self.place {
            Place::Folder(folder) => {
                std::fs::create_dir_all(folder)
                    .map_err(|e| format!("cannot create {}: {e}", folder.display()))?;
                let store = LocalFileSystem::new_with_prefix(folder).map_err(|e| e.to_string())?;
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
                    .with_config(options.map(|(k, v)| (k.clone(), v.expose_secret().to_owned())))
                    .build()
                    .map_err(|e| e.to_string())?;
                let root = ObjectPath::from_url_path(url.path()).map_err(|e| e.to_string())?;
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
    fn understands_folders_and_stores() {
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
    fn options_are_those_of_the_store() {
        let s3 = LakeUrl::parse("s3://bucket").unwrap();
        assert!(s3.knows_option("aws_region") && s3.knows_option("AWS_ENDPOINT"));
        assert!(!s3.knows_option("aws_regoin"));
        assert!(!LakeUrl::parse("lake").unwrap().knows_option("aws_region"));
    }
}
