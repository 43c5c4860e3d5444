//! Keeps the memory of a process that lives for months small.

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

/// Lets all threads share two arenas of the C library's heap; call it before the first thread starts. With an arena for each of
/// many threads, each keeps some of what was ever allocated in it. It costs speed where many threads allocate at once, as in a
/// replay at full speed.
pub(crate) fn share_arenas() {
    #[cfg(target_env = "gnu")]
    // SAFETY: `mallopt` may be called as long as there is one thread.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 2)
    };
}

fn trim() {
    #[cfg(target_env = "gnu")]
    // SAFETY: `malloc_trim` may be called at any time, from any thread.
    unsafe {
        libc::malloc_trim(0)
    };
}
