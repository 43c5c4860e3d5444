//! Connectors that run as tasks: which one ended, and how.

use std::collections::HashMap;

use anyhow::{Context, Result, anyhow};
use tokio::task::{Id, JoinSet};

/// Running connectors. Dropping it aborts them.
#[derive(Default)]
pub(super) struct Connectors {
    tasks: JoinSet<Result<()>>,
    /// A panic has only its task's id.
    names: HashMap<Id, String>,
}

impl Connectors {
    pub(super) fn spawn(
        &mut self,
        name: String,
        connector: impl Future<Output = Result<()>> + Send + 'static,
    ) {
        let task = self.tasks.spawn(connector);
        self.names.insert(task.id(), name);
    }

    /// Resolves when one has ended: its name, and its error or panic. `None` when none runs.
    pub(super) async fn next_ended(&mut self) -> Option<(String, Result<()>)> {
        let (id, result) = match self.tasks.join_next_with_id().await? {
            Ok(ended) => ended,
            Err(panic) => (panic.id(), Err(anyhow!(panic))),
        };
        let name = self.names.remove(&id).unwrap_or_default();
        let result = result.with_context(|| format!("{name} stopped"));
        Some((name, result))
    }

    /// Resolves when one has ended by itself, with or without an error of its own.
    pub(super) async fn failed(&mut self) -> anyhow::Error {
        match self.next_ended().await {
            Some((_, Err(error))) => error,
            Some((name, Ok(()))) => anyhow!("{name} ended unexpectedly"),
            None => std::future::pending().await,
        }
    }

    /// Waits until all have ended: the failures, in their order.
    pub(super) async fn failures(&mut self) -> Vec<anyhow::Error> {
        let mut failures = Vec::new();
        while let Some((_, result)) = self.next_ended().await {
            failures.extend(result.err());
        }
        failures
    }
}

/// Returns the first failure, if any, and logs the others.
///
/// # Errors
/// The first failure.
pub(crate) fn first_failure(failures: impl IntoIterator<Item = anyhow::Error>) -> Result<()> {
    let mut failures = failures.into_iter();
    let first = failures.next();
    for other in failures {
        tracing::error!("{other:#}");
    }
    first.map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[tokio::test]
    async fn a_connector_that_panics_is_named() {
        let mut connectors = Connectors::default();
        connectors.spawn("silver".to_owned(), std::future::pending());
        connectors.spawn("gold".to_owned(), async { panic!("a bug") });
        let error = format!("{:#}", connectors.failed().await);
        assert!(error.starts_with("gold stopped: "), "{error}");
        assert!(error.contains("a bug"), "{error}");
    }

    #[tokio::test]
    async fn one_that_ends_without_an_error_has_failed_too() {
        let mut connectors = Connectors::default();
        connectors.spawn("gold".to_owned(), async { Ok(()) });
        let error = connectors.failed().await.to_string();
        assert_eq!(error, "gold ended unexpectedly");
    }

    #[tokio::test]
    async fn one_failure_hides_no_other() {
        let mut connectors = Connectors::default();
        for name in ["raw", "silver", "gold"] {
            connectors.spawn(name.to_owned(), async move {
                match name {
                    "silver" => Ok(()),
                    _ => Err(anyhow!("disk full")),
                }
            });
        }
        let failures = connectors.failures().await;
        let failures = failures.iter().map(|error| format!("{error:#}"));
        assert_eq!(
            failures.collect::<BTreeSet<_>>(),
            ["gold stopped: disk full", "raw stopped: disk full"]
                .map(str::to_owned)
                .into()
        );
    }

    #[test]
    fn the_first_failure_is_returned() {
        let failures = ["raw", "gold"].map(anyhow::Error::msg);
        assert_eq!(first_failure(failures).unwrap_err().to_string(), "raw");
        first_failure([]).unwrap();
    }
}
