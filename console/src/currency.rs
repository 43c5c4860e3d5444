//! What prices are in, for a console that is not told: the table of alerts says it.

use std::sync::Arc;
use std::time::Duration;

use market::names::layer;
use tokio::time::MissedTickBehavior;

use crate::history::rules;
use crate::shared::Shared;

const LOOK_INTERVAL: Duration = Duration::from_secs(5);

/// Finds it out. Looks at once, and then only while there are pages: a look at an object store costs money.
pub(crate) async fn find_currency(shared: Arc<Shared>) {
    let mut tick = tokio::time::interval(LOOK_INTERVAL);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut is_first = true;
    while shared.currency.get().is_none() {
        tick.tick().await;
        if is_first || shared.flow.receiver_count() > 0 {
            look(&shared).await;
        }
        is_first = false;
    }
}

async fn look(shared: &Shared) {
    match shared.tables.snapshot(layer::ALERTS).await {
        Ok(snapshot) => {
            let snapshot = snapshot.as_deref();
            if let Some(currency) = snapshot.and_then(rules::currency) {
                let _known = shared.currency.set(currency.to_owned());
            }
        }
        Err(error) => tracing::debug!(%error, "the currency is looked for later"),
    }
}
