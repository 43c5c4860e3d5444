//! From a file's text to a configuration: secrets put in, parsed, checked.

use std::path::Path;

use serde::de::{DeserializeOwned, DeserializeSeed};

use crate::SmartModuleInvocation;
use crate::config::check::check_meta;
use crate::config::declared::declared_secrets;
use crate::config::document::DocumentSeed;
use crate::config::error::ConfigError;
use crate::config::explain::explain;
use crate::config::meta::Meta;
use crate::config::render::render;
use crate::config::secrets::Secrets;
use crate::config::transform::Transform;

/// A connector's whole configuration: what all connectors have, and `S`, the section of this one.
#[derive(Debug, Clone)]
pub struct ConnectorConfig<S> {
    /// Name, topic, how to read and write.
    pub meta: Meta,
    /// SmartModules, in order.
    pub transforms: Vec<Transform>,
    /// The connector's own section.
    pub settings: S,
}

impl<S: DeserializeOwned> ConnectorConfig<S> {
    /// Parses `text`; the connector's own settings stand in the top-level `section`, which may be missing if all of them
    /// have defaults.
    pub fn from_yaml(text: &str, section: &str, secrets: &Secrets) -> Result<Self, ConfigError> {
        let declared = declared_secrets(text)?;
        let rendered = render(text, &declared, secrets)?;
        let seed = DocumentSeed::<S>::new(section);
        let document =
            serde_saphyr::with_deserializer_from_str(&rendered.text, |de| seed.deserialize(de))
                .map_err(|err| explain(text, &rendered, &err))?;
        let meta = check_meta(text, document.api_version.as_deref(), document.meta)?;
        Ok(Self {
            meta,
            transforms: document.transforms.into_iter().map(Into::into).collect(),
            settings: document.settings,
        })
    }

    /// Reads and parses a file. Without a secrets file, secrets come from environment variables of their names.
    pub fn load(
        path: &Path,
        section: &str,
        secrets_path: Option<&Path>,
    ) -> Result<Self, ConfigError> {
        let secrets = match secrets_path {
            Some(path) => Secrets::from_file(path)?,
            None => Secrets::from_env(),
        };
        let text = std::fs::read_to_string(path).map_err(|err| ConfigError::Unreadable {
            path: path.display().to_string(),
            reason: err.to_string(),
        })?;
        Self::from_yaml(&text, section, &secrets).map_err(|err| err.in_file(path))
    }
}

impl<S> ConnectorConfig<S> {
    /// The transforms as the SmartModule invocations of a consumer.
    pub fn invocations(&self) -> Vec<SmartModuleInvocation> {
        self.transforms.iter().map(Transform::invocation).collect()
    }

    /// The name under which progress is stored: `meta.consumer.id`, else `meta.name`.
    pub fn consumer_id(&self) -> &str {
        self.meta.consumer.id.as_deref().unwrap_or(&self.meta.name)
    }
}
