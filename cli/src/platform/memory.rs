//! Keeps the memory of a process that lives for months small.

use std::time::Duration;

use connector_runtime::clock::Clock;

const INTERVAL: Duration = Duration::from_secs(60);

/// Once a minute, as long as the runtime lives, gives back what is not needed: memory that was freed, and pages of the program.
///
/// The C library keeps memory that a thread has freed for that thread, so a process of many threads would grow for days. And of
/// the program's pages most are needed at the start only, for compiling SmartModules above all.
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
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    unmap_program();
}

/// Takes the pages of the program's code out of the process. Those that are still needed come back one by one, as a rule without
/// reading the disk; the others the system can use for something else.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn unmap_program() {
    unsafe extern "C" {
        /// The program's first byte, by the linker.
        static __executable_start: u8;
        /// The first byte after its code.
        static etext: u8;
    }
    let start = (&raw const __executable_start).addr();
    // SAFETY: what lies between is mapped for reading and executing only, so its pages are those of the file.
    unsafe {
        let bytes = (&raw const etext).addr() - start;
        libc::madvise(start as *mut libc::c_void, bytes, libc::MADV_DONTNEED)
    };
}
