//! The raw records that both sides catch up on: a week of a hundred coins, a tick a minute, as CoinGecko sends them.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Number of JSONL files, so that a reader of files can take some at a time.
const FILES: usize = 20;
const COINS: usize = 100;
const START_MS: i64 = 1_748_736_000_000;
const MINUTE_MS: i64 = 60_000;
/// One in this many ticks has no price.
const BAD_EVERY: u64 = 1_000;
/// One in this many ticks is a jump.
const JUMP_EVERY: u64 = 1_000;

/// The folder's files, in order. They are generated unless they hold this many records already.
pub(crate) fn files(folder: &Path, records: usize) -> io::Result<Vec<PathBuf>> {
    let files: Vec<_> = (0..FILES)
        .map(|n| folder.join(format!("{n:04}.jsonl")))
        .collect();
    let marker = folder.join("records");
    if fs::read_to_string(&marker).is_ok_and(|found| found == records.to_string()) {
        return Ok(files);
    }
    fs::create_dir_all(folder)?;
    let mut market = Market::new();
    for (n, path) in files.iter().enumerate() {
        let mut file = BufWriter::new(File::create(path)?);
        for tick in n * records / FILES..(n + 1) * records / FILES {
            market.write(tick, &mut file)?;
        }
        file.flush()?;
    }
    fs::write(marker, records.to_string())?;
    Ok(files)
}

/// The key of a record: its coin.
pub(crate) fn coin(line: &str) -> &str {
    let id = line.strip_prefix(r#"{"id":""#).unwrap_or_default();
    id.split('"').next().unwrap_or_default()
}

struct Market {
    random: u64,
    coins: Vec<Coin>,
}

struct Coin {
    price: f64,
    day_ago: f64,
    supply: f64,
    volume: f64,
}

impl Market {
    fn new() -> Self {
        let coin = |n: usize| {
            let price = 60_000.0 / (1.0 + n as f64).powf(2.2);
            Coin {
                price,
                day_ago: price,
                supply: 19e6 * (1.0 + n as f64),
                volume: 3e10 / (1.0 + n as f64),
            }
        };
        Self {
            random: 1,
            coins: (0..COINS).map(coin).collect(),
        }
    }

    /// 48 random bits.
    fn bits(&mut self) -> u64 {
        self.random = self
            .random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.random >> 16
    }

    /// From -1 to 1, mostly in the middle.
    fn noise(&mut self) -> f64 {
        let sum: u64 = (0..4).map(|_| self.bits() >> 16).sum();
        sum as f64 / f64::from(u32::MAX) / 2.0 - 1.0
    }

    fn write(&mut self, tick: usize, out: &mut impl Write) -> io::Result<()> {
        let (n, minute) = (tick % COINS, (tick / COINS) as i64);
        let jump = if self.bits().is_multiple_of(JUMP_EVERY) {
            0.04
        } else {
            0.0
        };
        let (by, volume_by) = (self.noise() * 0.002 + jump, self.noise() * 0.0005);
        let (bad, milliseconds) = (self.bits().is_multiple_of(BAD_EVERY), self.bits() % 1000);
        let coin = &mut self.coins[n];
        // Pulled back towards its first price, so that a week of jumps does not drift away.
        coin.price *= 1.0 + by - (coin.price / coin.day_ago - 1.0) * 0.02;
        coin.volume *= 1.0 + volume_by;
        let Coin {
            price,
            day_ago,
            supply,
            volume,
        } = *coin;
        let decimals = (5 - price.log10().floor() as i32).max(0) as usize;
        let price_text = match bad {
            true => "null".to_owned(),
            false => format!("{price:.decimals$}"),
        };
        let time = START_MS + minute * MINUTE_MS + milliseconds as i64;
        let time = jiff::Timestamp::from_millisecond(time).map_err(io::Error::other)?;
        let change = price - day_ago;
        let percent = change / day_ago * 100.0;
        let (high, low) = (price.max(day_ago) * 1.01, price.min(day_ago) * 0.99);
        let cap = price * supply;
        let diluted = cap * 1.05;
        let cap_change = change * supply;
        let rank = n + 1;
        writeln!(
            out,
            r#"{{"id":"coin-{n}","symbol":"c{n}","name":"Coin {n}","image":"https://assets.example.com/coins/images/{n}/large/coin-{n}.png?1547033579","current_price":{price_text},"market_cap":{cap:.0},"market_cap_rank":{rank},"fully_diluted_valuation":{diluted:.0},"total_volume":{volume:.0},"high_24h":{high:.decimals$},"low_24h":{low:.decimals$},"price_change_24h":{change:.decimals$},"price_change_percentage_24h":{percent:.5},"market_cap_change_24h":{cap_change:.0},"market_cap_change_percentage_24h":{percent:.5},"circulating_supply":{supply:.1},"total_supply":{supply:.1},"max_supply":null,"ath":{high:.decimals$},"ath_change_percentage":-75.77384,"ath_date":"2021-11-10T14:24:11.849Z","atl":{low:.decimals$},"atl_change_percentage":24567.66014,"atl_date":"2013-07-06T00:00:00.000Z","roi":null,"last_updated":"{time:.3}"}}"#,
        )
    }
}
