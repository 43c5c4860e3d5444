//! Which models the deployed crypto-predict serves: those in production, else those of the module on the cluster.
//!
//! Whatever goes wrong, a model that is being served keeps being served.

use anyhow::{Context, Result};
use market::model::{ModelError, ModelPair, slot};
use market::names::smartmodule;

/// The crypto-predict to deploy.
#[derive(Debug)]
pub(crate) struct Serving {
    pub(crate) wasm: Vec<u8>,
    /// The models in it, such as `anomaly_ahead/3, trend_up/2`.
    pub(crate) models: String,
    /// Why the cluster keeps or loses a model against expectation.
    pub(crate) warning: Option<String>,
}

/// The `shipped` module, its slot filled with the models in `production`. Where one of them is missing, the model that the
/// `existing` module serves is taken over. An existing module whose models only it can read is not replaced.
///
/// # Errors
/// When the shipped module has no slot, or the models do not fit into it.
pub(crate) fn module_to_serve(
    shipped: &[u8],
    existing: Option<&[u8]>,
    production: &ModelPair,
) -> Result<Serving> {
    let mut warning = None;
    let served = match existing.map(slot::read) {
        None => ModelPair::default(),
        Some(Ok(pair)) => pair,
        Some(Err(error)) => {
            let complete = production.anomaly.is_some() && production.trend.is_some();
            if let Some(existing) = existing
                && only_it_can_read(&error)
                && !complete
            {
                return Ok(Serving {
                    wasm: existing.to_vec(),
                    models: "models of another version".to_owned(),
                    warning: Some(format!("is not replaced and keeps serving: {error}")),
                });
            }
            warning = Some(format!("the models on the cluster are dropped: {error}"));
            ModelPair::default()
        }
    };
    let pair = production.clone().or(served);
    let models = names(&pair);
    Ok(Serving {
        wasm: slot::fill(shipped, &pair).with_context(|| {
            format!(
                "SmartModule {} cannot be given {models}",
                smartmodule::PREDICT
            )
        })?,
        models,
        warning,
    })
}

/// Whether the module that holds such models, of another version than this command, can serve them.
fn only_it_can_read(error: &ModelError) -> bool {
    match error {
        ModelError::Newer { .. } | ModelError::OtherInputs { .. } => true,
        // Not even that module, if they were trained on features that no module computes any more.
        ModelError::OtherFeatures { .. } => !error.is_outdated(),
        _ => false,
    }
}

fn names(pair: &ModelPair) -> String {
    match pair.labels() {
        labels if labels.is_empty() => "no models".to_owned(),
        labels => labels.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use market::FEATURES_VERSION;
    use market::model::{INPUTS, Logistic, ModelInfo, TREND_UP};

    use super::*;

    /// With a small slot, to be fast.
    fn shipped() -> Vec<u8> {
        let slot = slot::Slot::<2_000>::empty();
        [b"\0asm".as_slice(), &slot.to_bytes()].concat()
    }

    fn trend(version: u32) -> ModelPair {
        let info = ModelInfo {
            name: TREND_UP.to_owned(),
            version,
            run: "a-run".to_owned(),
            features_version: FEATURES_VERSION,
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
    fn served_models_are_kept_until_production_has_newer_ones() {
        let serve = |existing: Option<&[u8]>, production: &ModelPair| {
            let serving = module_to_serve(&shipped(), existing, production).unwrap();
            assert_eq!(serving.warning, None);
            assert_eq!(
                slot::read(&serving.wasm).map(|pair| names(&pair)),
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
    fn models_that_only_the_existing_module_can_read_are_kept() {
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
            warning.starts_with("is not replaced and keeps serving: the model is of format 9"),
            "{warning}"
        );
    }

    #[test]
    fn models_of_former_features_are_dropped() {
        let mut pair = trend(2);
        if let Some(model) = &mut pair.trend {
            model.info.features_version = FEATURES_VERSION - 1;
        }
        let outdated = slot::fill(&shipped(), &pair).unwrap();
        let serving = module_to_serve(&shipped(), Some(&outdated), &ModelPair::default()).unwrap();
        assert_eq!(serving.wasm, shipped());
        assert_eq!(serving.models, "no models");
        let warning = serving.warning.unwrap();
        assert!(
            warning.starts_with("the models on the cluster are dropped: the model was trained on features of version 1"),
            "{warning}"
        );
    }

    #[test]
    fn models_that_no_module_can_read_are_dropped() {
        let mut damaged = slot::fill(&shipped(), &trend(2)).unwrap();
        let run = damaged
            .windows(5)
            .position(|bytes| bytes == b"a-run")
            .unwrap();
        damaged[run] = b'A';
        for existing in [damaged.as_slice(), b"", b"\0asm, of somebody else"] {
            let serving = module_to_serve(&shipped(), Some(existing), &trend(3)).unwrap();
            assert_eq!(serving.models, "trend_up/3");
            let warning = serving.warning.unwrap();
            assert!(
                warning.starts_with("the models on the cluster are dropped: "),
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
