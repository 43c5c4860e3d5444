//! The network between the broker and everybody else is cut in the middle of frames, falls silent, is slow and tears what is
//! sent into pieces.

use std::time::Duration;

use faults::Network;

use super::golden;
use super::platform::Platform;

const BAD: Network = Network {
    cut_after_bytes: 5_000_000,
    silent_percent: 10,
    silence: Duration::from_secs(1),
    late_percent: 2,
    late_max: Duration::from_millis(40),
};

#[tokio::test(flavor = "multi_thread")]
async fn the_network_is_cut_at_any_byte() {
    let runs = faults::times(1, 20);
    let seed = faults::seed();
    let (golden, _) = golden().await;
    let mut cuts = 0;
    for run in 0..runs {
        let mut platform = Platform::start_behind(BAD, seed + run).await;
        platform.lands(golden).await;
        let proxy = platform.proxy.as_ref().unwrap();
        proxy.be_calm(true);
        println!(
            "run {run}: {} connections, {} cut, {} of them silent before",
            proxy.connections(),
            proxy.cuts(),
            proxy.silences()
        );
        assert!(proxy.cuts() >= 10, "this network is not bad");
        cuts += proxy.cuts();
        platform.left().await.assert_equals(golden);
    }
    println!("the network, {cuts} cuts in {runs} runs: every row is there, once");
}
