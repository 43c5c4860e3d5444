//! What living with the platform takes, with no page open: `up` that polls ten coins once a minute, and a replay at the market's
//! own speed. Run by `cargo xtask bench living`.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use faults::Vitals;
use fixtures::process::coinlake;
use replay::{Faults, FieldMarket, FieldSettings, Market, Position, ReplayServer};
use serde_json::json;
use tokio::runtime::Runtime;

use crate::figures;
use crate::observe::process::Running;

const COINS: usize = 10;
/// What is done once at a start is over.
const SETTLES_FOR: Duration = Duration::from_secs(60);

#[test]
#[ignore = "takes as long as it is told to: cargo xtask bench living"]
fn what_a_platform_at_rest_takes() {
    let minutes: f64 = std::env::var("COINLAKE_LIVING_MINUTES")
        .unwrap()
        .parse()
        .unwrap();
    let runtime = Runtime::new().unwrap();
    let market = FieldMarket::new(FieldSettings {
        coins: COINS,
        start_ms: jiff::Timestamp::now().as_millisecond() - 60_000,
        faults: Faults::NONE,
        ..FieldSettings::default()
    });
    let now = Arc::new(SystemTime::now);
    let coingecko = ReplayServer::start_on(Market::Field(market), now, Position::start());
    let coingecko = runtime.block_on(coingecko).unwrap();

    let folder = tempfile::tempdir().unwrap();
    let settings = format!(
        "coingecko: {{base_url: {}, top: {COINS}, poll_interval: 60s, history: off}}\nbroker: {{listen: 0}}\nconsole: 0\nmetrics: 0\n",
        coingecko.base_url()
    );
    fs::write(folder.path().join("coinlake.yaml"), settings).unwrap();
    let mut up = coinlake(&["up"]);
    up.current_dir(folder.path());
    let up = Running::start(up);
    let replay = Running::start({
        let mut demo = coinlake(&["demo", "--speed=1", "--console=127.0.0.1:0"]);
        demo.args(["--listen=127.0.0.1:0", "--metrics-listen=0", "--data"]);
        demo.arg(folder.path().join("replay"));
        demo
    });
    up.wait_until_ready();
    replay.wait_until_ready();
    std::thread::sleep(SETTLES_FOR);

    let calls = coingecko.calls();
    let before = [&up, &replay].map(|process| Vitals::of(process.id()).unwrap());
    std::thread::sleep(Duration::from_secs_f64(minutes * 60.0));
    let after = [&up, &replay].map(|process| Vitals::of(process.id()).unwrap());
    let calls = coingecko.calls() - calls;
    let share = |of: usize| {
        (after[of].processor_ms - before[of].processor_ms) as f64 / (minutes * 60_000.0)
    };
    figures::write(&json!({
        "minutes": minutes,
        "polls": calls,
        "up": {
            "core_share": share(0),
            "resident_mb": after[0].resident_mb(),
            "own_mb": after[0].own_bytes as f64 / 1e6,
        },
        "replay": {"core_share": share(1), "resident_mb": after[1].resident_mb()},
    }));
    assert!(calls as f64 + 1.0 >= minutes.floor(), "{calls} polls");
    up.interrupt();
    replay.interrupt();
}
