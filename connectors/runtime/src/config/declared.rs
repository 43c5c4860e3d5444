//! The secrets that a file says it uses.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::config::document::SecretEntry;
use crate::config::error::ConfigError;
use crate::config::lines::line_of;
use crate::config::render::without_templates;
use crate::config::secrets::is_name;

/// Only `meta.secrets`, of a file whose templates are not rendered yet.
#[derive(Deserialize)]
struct SecretsOnly {
    meta: Option<MetaSecrets>,
}

#[derive(Deserialize)]
struct MetaSecrets {
    secrets: Option<Vec<SecretEntry>>,
}

/// The names under `meta.secrets`, read before anything is rendered. What is wrong elsewhere shows later.
pub(super) fn declared_secrets(text: &str) -> Result<BTreeSet<String>, ConfigError> {
    let bare = without_templates(text);
    let Ok(found) = serde_saphyr::from_str::<SecretsOnly>(&bare) else {
        return Ok(BTreeSet::new());
    };
    let entries = found.meta.and_then(|meta| meta.secrets).unwrap_or_default();
    let mut names = BTreeSet::new();
    for entry in entries {
        if !is_name(&entry.name) {
            return Err(ConfigError::Invalid {
                file: None,
                line: line_of(text, "secrets"),
                problem: format!(
                    "`{}` is no name for a secret: use ASCII letters, digits and underscores, not beginning with a digit",
                    entry.name
                ),
            });
        }
        names.insert(entry.name);
    }
    Ok(names)
}
