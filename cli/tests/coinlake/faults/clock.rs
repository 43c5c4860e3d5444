//! The clock jumps an hour forth and two hours back while everything runs. libfaketime makes it jump, for every process of
//! the platform; without it (Debian: package libfaketime) this is skipped.

use std::time::Duration;

use faults::FakeClock;

use super::golden;
use super::platform::Platform;

#[tokio::test(flavor = "multi_thread")]
async fn the_clock_jumps_an_hour_each_way() {
    let folder = tempfile::tempdir().unwrap();
    let Some(clock) = FakeClock::new(folder.path()) else {
        return;
    };
    let (golden, _) = golden().await;
    for _ in 0..faults::times(1, 5) {
        let mut platform = Platform::start_in(clock.environment()).await;
        for jump in [3_600, -3_600, 3_600, 0, -3_600, 0] {
            tokio::time::sleep(Duration::from_millis(1_500)).await;
            clock.set(jump);
            platform.assert_running();
        }
        platform.lands(golden).await;
        platform.left().await.assert_equals(golden);
        println!("the clock, 6 jumps: every row is there, once");
    }
}
