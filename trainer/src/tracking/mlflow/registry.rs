//! Registered models of a server, and their versions.

use super::client::Client;
use super::failure::Failure;
use super::wire::{ModelVersionsReply, RegisteredModel, RegisteredModelReply, WireVersion};
use crate::tracking::error::TrackingError;
use crate::tracking::version::ModelVersion;

/// How many versions a request asks for.
const VERSIONS_PER_PAGE: usize = 100;

impl Client {
    /// The registered model, if it exists.
    pub(super) async fn registered(
        &self,
        model: &str,
    ) -> Result<Option<RegisteredModel>, TrackingError> {
        let what = format!("show model {model}");
        let reply: Result<RegisteredModelReply, _> = self
            .http
            .get(&what, "registered-models/get", &[("name", model)])
            .await;
        match reply {
            Ok(reply) => Ok(Some(reply.registered_model)),
            Err(failure) if failure.is_not_found() => Ok(None),
            Err(failure) => Err(failure.into()),
        }
    }

    /// The versions of a filter, searched once.
    pub(super) async fn search_versions(&self, filter: &str) -> Result<Vec<WireVersion>, Failure> {
        let mut versions = Vec::new();
        let mut token = String::new();
        let per_page = VERSIONS_PER_PAGE.to_string();
        loop {
            let mut query = vec![("filter", filter), ("max_results", per_page.as_str())];
            if !token.is_empty() {
                query.push(("page_token", &token));
            }
            let page: ModelVersionsReply = self
                .http
                .get_once("search model versions", "model-versions/search", &query)
                .await?;
            versions.extend(page.model_versions);
            match page.next_page_token {
                Some(next) if !next.is_empty() => token = next,
                _ => return Ok(versions),
            }
        }
    }

    pub(super) fn version(
        &self,
        found: WireVersion,
        aliases: &RegisteredModel,
    ) -> Result<ModelVersion, TrackingError> {
        let version = self.version_number(&found.version)?;
        let aliases = aliases.aliases.iter();
        let of_this = aliases.filter(|alias| alias.version == found.version);
        Ok(ModelVersion {
            model: found.name,
            version,
            run: found.run_id,
            created_ms: found.creation_timestamp,
            aliases: of_this.map(|alias| alias.alias.clone()).collect(),
            note: found.description,
            source: found.source,
        })
    }

    pub(super) fn version_number(&self, text: &str) -> Result<u32, TrackingError> {
        text.parse().map_err(|_| TrackingError::Foreign {
            server: self.http.server(),
            what: "show a model version".to_owned(),
            reason: format!("version `{text}` is not a number"),
        })
    }
}
