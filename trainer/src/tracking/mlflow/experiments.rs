//! Experiments of a server.

use serde_json::json;

use super::client::Client;
use super::wire::{Experiment, ExperimentId, ExperimentReply};
use crate::tracking::error::TrackingError;

/// The UI shows experiments of this kind as model training, not as evaluations of agents.
const KIND_TAG: &str = "mlflow.experimentKind";
const KIND: &str = "custom_model_development";

impl Client {
    pub(super) async fn experiment(&self, name: &str) -> Result<Option<Experiment>, TrackingError> {
        let query = [("experiment_name", name)];
        let what = format!("show experiment {name}");
        let reply: Result<ExperimentReply, _> = self
            .http
            .get(&what, "experiments/get-by-name", &query)
            .await;
        match reply {
            Ok(reply) => Ok(Some(reply.experiment)),
            Err(failure) if failure.is_not_found() => Ok(None),
            Err(failure) => Err(failure.into()),
        }
    }

    /// The experiment's id; creates the experiment if it does not exist.
    pub(super) async fn usable_experiment(&self, name: &str) -> Result<String, TrackingError> {
        let found = match self.experiment(name).await? {
            Some(found) => found,
            None => {
                let what = format!("create experiment {name}");
                let body = json!({ "name": name, "tags": [{ "key": KIND_TAG, "value": KIND }] });
                let created: Result<ExperimentId, _> =
                    self.http.post(&what, "experiments/create", &body).await;
                match created {
                    Ok(created) => return Ok(created.experiment_id),
                    // Created by another run a moment ago, or by an earlier attempt whose reply was lost.
                    Err(failure) if failure.is("RESOURCE_ALREADY_EXISTS") => {
                        match self.experiment(name).await? {
                            Some(found) => found,
                            None => return Err(failure.into()),
                        }
                    }
                    Err(failure) => return Err(failure.into()),
                }
            }
        };
        if found.lifecycle_stage == "active" {
            return Ok(found.experiment_id);
        }
        Err(TrackingError::ExperimentDeleted {
            name: name.to_owned(),
            id: found.experiment_id,
            server: self.http.server(),
        })
    }
}
