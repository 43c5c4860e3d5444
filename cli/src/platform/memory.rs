//! Returns freed memory to the operating system.

use std::time::Duration;

use connector_runtime::clock::Clock;

const INTERVAL: Duration = Duration::from_secs(60);

/// Calls `malloc_trim` once a minute, as long as the runtime lives. The C library keeps memory that a thread has freed for
/// that thread, so a process of many threads would grow for days.
pub(crate) fn trim_regularly(clock: Clock) {
    tokio::spawn(async move {
        loop {
            clock.reaches(clock.instant() + INTERVAL).await;
            // It takes its time on a large heap.
            let _ = tokio::task::spawn_blocking(trim).await;
        }
    });
}

fn trim() {
    #[cfg(target_env = "gnu")]
    // SAFETY: `malloc_trim` may be called at any time, from any thread.
    unsafe {
        libc::malloc_trim(0)
    };
}
