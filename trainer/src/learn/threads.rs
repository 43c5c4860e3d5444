//! The number of threads that a training uses.

use std::num::NonZero;

/// Runs parallel work on this many threads; without a number, on the threads it runs on already: all cores by default.
pub(super) fn on_threads<T: Send>(
    threads: Option<NonZero<usize>>,
    work: impl FnOnce() -> T + Send,
) -> Result<T, rayon::ThreadPoolBuildError> {
    match threads {
        None => Ok(work()),
        Some(threads) => {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads.get());
            Ok(pool.build()?.install(work))
        }
    }
}
