//! Work on a blocking thread, on behalf of a request.

use fluvio_protocol::link::ErrorCode;
use tokio_util::task::TaskTracker;

/// Runs what blocks, as one of the broker's `tasks`: it may hold the data directory, which a broker that stops gives free only
/// then. A panic in there becomes a server error.
pub(super) async fn blocking<T: Send + 'static>(
    tasks: &TaskTracker,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ErrorCode> {
    joined(tasks.spawn_blocking(work).await)
}

/// The result of a blocking task; a panic is logged and becomes an error.
pub(super) fn joined<T>(ended: Result<T, tokio::task::JoinError>) -> Result<T, ErrorCode> {
    ended.map_err(|error| {
        tracing::error!("a blocking task failed: {error}");
        ErrorCode::UnknownServerError
    })
}
