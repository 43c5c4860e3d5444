//! The functions that Fluvio calls.

/// Exports a [`SmartModule`](crate::SmartModule) from a wasm module: `export!(Module)`, or `export!(Module, look_back)` for a
/// module whose state is filled from earlier records. On other targets it exports nothing.
#[macro_export]
macro_rules! export {
    ($module:ty) => {
        $crate::export!(@start $module, {});
    };
    ($module:ty, look_back) => {
        $crate::export!(@start $module, {
            #[unsafe(no_mangle)]
            unsafe extern "C" fn look_back(start: *mut u8, len: usize, version: i32) -> i32 {
                // SAFETY: the host got `start` from `alloc` and wrote `len` bytes there.
                let input = unsafe { $crate::take(start, len) };
                host(|host| host.look_back(&input, version as i16))
            }
        });
    };
    (@start $module:ty, { $($look_back:tt)* }) => {
        #[cfg(target_arch = "wasm32")]
        mod exports {
            use std::cell::RefCell;

            #[allow(unused_imports, reason = "the module's type is in scope where the macro is called")]
            use super::*;

            type Host = $crate::Host<$module>;

            thread_local! {
                static HOST: RefCell<Option<Host>> = const { RefCell::new(None) };
            }

            unsafe extern "C" {
                fn copy_records(start: i32, len: i32);
            }

            /// Passes bytes to the host, which copies them after the call has returned: they must live until then.
            fn give(bytes: &[u8]) {
                // SAFETY: the host reads initialized memory of this module.
                unsafe { copy_records(bytes.as_ptr() as i32, bytes.len() as i32) }
            }

            /// Calls `run` with the module; returns the status for an unknown error if it was never started.
            fn host(run: impl FnOnce(&mut Host) -> i32) -> i32 {
                HOST.with_borrow_mut(|host| host.as_mut().map_or(-1, run))
            }

            #[unsafe(no_mangle)]
            extern "C" fn alloc(len: usize) -> *mut u8 {
                $crate::alloc(len)
            }

            #[unsafe(no_mangle)]
            unsafe extern "C" fn dealloc(start: *mut u8, len: usize) {
                // SAFETY: the host returns memory it got from `alloc`.
                drop(unsafe { $crate::take(start, len) });
            }

            #[unsafe(no_mangle)]
            unsafe extern "C" fn init(start: *mut u8, len: usize, _version: i32) -> i32 {
                // SAFETY: the host got `start` from `alloc` and wrote `len` bytes there.
                let input = unsafe { $crate::take(start, len) };
                let (host, status, error) = Host::init(&input);
                if !error.is_empty() {
                    // Never freed: a module that failed to start does not run again.
                    give(error.leak());
                }
                HOST.set(host);
                status
            }

            #[unsafe(no_mangle)]
            unsafe extern "C" fn filter_map(start: *mut u8, len: usize, version: i32) -> i32 {
                // SAFETY: the host got `start` from `alloc` and wrote `len` bytes there.
                let input = unsafe { $crate::take(start, len) };
                host(|host| {
                    let count = host.filter_map(input, version as i16);
                    if count >= 0 {
                        give(host.output());
                    }
                    count
                })
            }

            $($look_back)*
        }
    };
}
