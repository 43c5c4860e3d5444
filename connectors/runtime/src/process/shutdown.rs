//! Stopping on a signal. The first one interrupts waiting, never working; the second one ends the process.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// What a shell reports for a process that Ctrl-C ended.
const EXIT_INTERRUPTED: i32 = 130;

/// A token that SIGINT or SIGTERM cancels; a second signal ends the process at once. Call it inside the tokio runtime,
/// once.
pub fn on_signal() -> CancellationToken {
    let token = CancellationToken::new();
    let signals = signal(SignalKind::interrupt())
        .and_then(|interrupt| Ok((interrupt, signal(SignalKind::terminate())?)));
    match signals {
        Ok((mut interrupt, mut terminate)) => {
            let stop = token.clone();
            tokio::spawn(async move {
                either(&mut interrupt, &mut terminate).await;
                tracing::info!("stopping; a second signal ends the process at once");
                stop.cancel();
                either(&mut interrupt, &mut terminate).await;
                tracing::warn!("second signal: ending at once");
                std::process::exit(EXIT_INTERRUPTED);
            });
        }
        // Without a handler the signal's default applies: the process ends, as after a crash, and recovers as after one.
        Err(err) => tracing::warn!(%err, "signals cannot be caught"),
    }
    token
}

async fn either(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
