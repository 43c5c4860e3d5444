//! Which models crypto-predict serves: those in production, else those that the cluster's module has already.
//!
//! Always true: whatever goes wrong here, a model that serves goes on serving.

use std::path::Path;

use anyhow::{Context, Result};
use market::model::{ModelError, ModelPair, slot};
use trainer::production::production_pair;

use crate::train;

/// The SmartModule with the slot for models.
pub const MODULE: &str = "crypto-predict";

/// The models in production, by the MLflow server of the environment, else by a data directory. What cannot be found out
/// is told, and left out: then what serves goes on serving.
pub async fn in_production(data: &Path) -> ModelPair {
    let tracking = match train::open_tracking(data) {
        Ok(tracking) => tracking,
        Err(error) => {
            tracing::warn!("no models are looked for: {error:#}");
            return ModelPair::default();
        }
    };
    if let Err(problem) = tracking.check().await {
        tracing::warn!("no models are looked for: {problem}");
        return ModelPair::default();
    }
    let (pair, problems) = production_pair(tracking.as_ref()).await;
    for problem in problems {
        tracing::warn!("{problem}; a model that serves goes on serving");
    }
    pair
}

/// The module a cluster is to have.
#[derive(Debug)]
pub struct Serving {
    pub wasm: Vec<u8>,
    /// The models in it, for people.
    pub models: String,
    /// What people should know besides.
    pub warning: Option<String>,
}

/// The `shipped` module with the models in `production` in its slot and, in the place of one that is not there, the one
/// that the module which is `present` serves. What is present stays when it serves models that only it can read.
///
/// # Errors
/// When the shipped module has no slot, or the models do not fit into it.
pub fn module_to_serve(
    shipped: &[u8],
    present: Option<&[u8]>,
    production: &ModelPair,
) -> Result<Serving> {
    let mut warning = None;
    let kept = match present.map(slot::read) {
        None => ModelPair::default(),
        Some(Ok(pair)) => pair,
        Some(Err(error)) => {
            let whole = production.anomaly.is_some() && production.trend.is_some();
            if let Some(present) = present
                && only_it_can_read(&error)
                && !whole
            {
                return Ok(Serving {
                    wasm: present.to_vec(),
                    models: "models of another version".to_owned(),
                    warning: Some(format!("stays as it is and goes on serving: {error}")),
                });
            }
            warning = Some(format!("the models in the cluster are given up: {error}"));
            ModelPair::default()
        }
    };
    let pair = production.clone().or(kept);
    let models = named(&pair);
    Ok(Serving {
        wasm: slot::fill(shipped, &pair)
            .with_context(|| format!("SmartModule {MODULE} cannot be given {models}"))?,
        models,
        warning,
    })
}

/// Whether the module that holds such models may well be serving them.
fn only_it_can_read(error: &ModelError) -> bool {
    matches!(
        error,
        ModelError::Newer { .. } | ModelError::OtherInputs { .. }
    )
}

fn named(pair: &ModelPair) -> String {
    match pair.labels() {
        labels if labels.is_empty() => "no models".to_owned(),
        labels => labels.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use market::model::{INPUTS, Logistic, ModelInfo, TREND_UP};

    use super::*;

    /// The room of the real one is not needed.
    fn shipped() -> Vec<u8> {
        let slot = slot::Slot::<2_000>::empty();
        [b"\0asm".as_slice(), &slot.to_bytes()].concat()
    }

    fn trend(version: u32) -> ModelPair {
        let info = ModelInfo {
            name: TREND_UP.to_owned(),
            version,
            run: "a-run".to_owned(),
            fill: [0.0; INPUTS.len()],
            trained_from_ms: 0,
            trained_to_ms: 1,
            rows: 1,
            threshold: 0.5,
        };
        let (zeros, ones) = ([0.0; INPUTS.len()], [1.0; INPUTS.len()]);
        ModelPair {
            anomaly: None,
            trend: Some(Logistic::new(info, zeros, ones, ones, 0.0).unwrap()),
        }
    }

    #[test]
    fn the_models_that_serve_are_kept() {
        let serve = |present: Option<&[u8]>, production: &ModelPair| {
            let serving = module_to_serve(&shipped(), present, production).unwrap();
            assert_eq!(serving.warning, None);
            assert_eq!(
                slot::read(&serving.wasm).map(|pair| named(&pair)),
                Ok(serving.models.clone())
            );
            serving
        };
        let none = ModelPair::default();
        let first = serve(None, &none);
        assert_eq!((&*first.models, &first.wasm), ("no models", &shipped()));
        let second = serve(Some(&first.wasm), &trend(2));
        assert_eq!(second.models, "trend_up/2");
        let again = serve(Some(&second.wasm), &none);
        assert_eq!(again.wasm, second.wasm);
        // Another build of the module.
        let other = [second.wasm.as_slice(), b"other code"].concat();
        assert_eq!(serve(Some(&other), &none).wasm, second.wasm);
        assert_eq!(serve(Some(&second.wasm), &trend(3)).models, "trend_up/3");
    }

    #[test]
    fn what_only_another_version_can_read_stays() {
        let mut newer = slot::fill(&shipped(), &trend(2)).unwrap();
        let format = newer
            .windows(8)
            .position(|bytes| bytes == b"CL-MODEL")
            .unwrap()
            + 8;
        newer[format] = 9;
        let serving = module_to_serve(&shipped(), Some(&newer), &trend(3)).unwrap();
        assert_eq!(serving.wasm, newer);
        let warning = serving.warning.unwrap();
        assert!(
            warning.starts_with("stays as it is and goes on serving: the model is of format 9"),
            "{warning}"
        );
    }

    #[test]
    fn what_cannot_serve_is_given_up() {
        let mut damaged = slot::fill(&shipped(), &trend(2)).unwrap();
        let run = damaged
            .windows(5)
            .position(|bytes| bytes == b"a-run")
            .unwrap();
        damaged[run] = b'A';
        for present in [damaged.as_slice(), b"", b"\0asm, of somebody else"] {
            let serving = module_to_serve(&shipped(), Some(present), &trend(3)).unwrap();
            assert_eq!(serving.models, "trend_up/3");
            let warning = serving.warning.unwrap();
            assert!(
                warning.starts_with("the models in the cluster are given up: "),
                "{warning}"
            );
        }
    }

    #[test]
    fn a_shipped_module_without_a_slot_is_named() {
        let error = module_to_serve(b"\0asm", None, &trend(1)).unwrap_err();
        assert_eq!(
            format!("{error:#}"),
            "SmartModule crypto-predict cannot be given trend_up/1: this wasm has no slot for models: give the \
             crypto-predict that `cargo xtask smartmodules` builds"
        );
    }
}
