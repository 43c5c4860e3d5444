//! How many threads fitting runs on.

use std::num::NonZero;

/// Runs work that goes parallel on so many threads; without a number on those it is on already, all cores by default.
pub(crate) fn on_threads<T: Send>(
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
