//! Returns freed memory to the operating system.

/// Calls `malloc_trim` once a minute, as long as the process lives. The C library keeps memory that a thread has freed for
/// that thread, so a process of many threads would grow for days.
pub(crate) fn trim_regularly() {
    #[cfg(target_env = "gnu")]
    std::thread::spawn(|| {
        loop {
            std::thread::sleep(std::time::Duration::from_secs(60));
            // SAFETY: `malloc_trim` may be called at any time, from any thread.
            unsafe { libc::malloc_trim(0) };
        }
    });
}
