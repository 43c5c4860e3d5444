//! The clock jumps an hour forth and two hours back while everything runs. libfaketime makes it jump, for every process of
//! the platform; without it (Debian: package libfaketime) this is skipped.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::golden;
use super::platform::Platform;

/// For programs with threads.
const LIBRARIES: [&str; 3] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/faketime/libfaketimeMT.so.1",
];

#[tokio::test(flavor = "multi_thread")]
async fn the_clock_jumps_an_hour_each_way() {
    let Some(library) = LIBRARIES.into_iter().find(|path| Path::new(path).exists()) else {
        println!("skipped: no libfaketime here");
        return;
    };
    let (golden, _) = golden().await;
    for _ in 0..faults::times(1, 5) {
        let mut clock = None;
        let mut platform = Platform::start_in(|data| {
            let file = data.join("clock");
            fs::write(&file, "+0").unwrap();
            let path = file.to_str().unwrap().to_owned();
            clock = Some(file);
            [
                ("LD_PRELOAD", library),
                ("FAKETIME_TIMESTAMP_FILE", &path),
                ("FAKETIME_NO_CACHE", "1"),
                // A jump of the clock is none of the time that passes.
                ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec()
        })
        .await;
        let clock = clock.unwrap();
        for jump in ["+3600", "-3600", "+3600", "+0", "-3600", "+0"] {
            tokio::time::sleep(Duration::from_millis(1_500)).await;
            // Whole or not at all: everybody reads it all the time.
            let next = clock.with_extension("next");
            fs::write(&next, jump).unwrap();
            fs::rename(&next, &clock).unwrap();
            platform.assert_running();
        }
        platform.lands(golden).await;
        platform.left().await.assert_equals(golden);
        println!("the clock, 6 jumps: every row is there, once");
    }
}
