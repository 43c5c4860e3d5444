//! Memory that is free goes back to the operating system.

/// Gives back what is free once a minute, as long as the process lives. The C library keeps what a thread has freed for that
/// thread, and a platform of many threads grows by it for days.
pub fn give_back_regularly() {
    #[cfg(target_env = "gnu")]
    std::thread::spawn(|| {
        loop {
            std::thread::sleep(std::time::Duration::from_secs(60));
            // SAFETY: it may be called at any time, by any thread.
            unsafe { libc::malloc_trim(0) };
        }
    });
}
