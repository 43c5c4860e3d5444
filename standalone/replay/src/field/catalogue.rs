//! The coins of the field market: the ids people ask for first, made-up ones below them, and odd ones at the end.
//!
//! Prices, caps and volumes of the named coins have the order of magnitude of 2026. The prices of the others spread over
//! the decades as CoinGecko's first 250 do, because the default number of digits depends on the price.

use std::sync::Arc;

use crate::random::stream;
use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution as _, Normal};

/// How a coin's price and volume behave.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Nature {
    /// Its price is free; the volatility is the standard deviation of a minute's log return on a calm day.
    Floating { volatility: f64 },
    /// Its price stays near its first one; `noise` is the relative size of what a refresh adds to it.
    Pegged { noise: f64 },
    /// A fund: a fixed price, nothing traded.
    Fund,
}

impl Nature {
    /// Whether its price is not free to go where it likes.
    pub(super) fn is_pegged(self) -> bool {
        !matches!(self, Self::Floating { .. })
    }
}

/// How a coin's volume jumps when an exchange drops out of it or comes back.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Jumps {
    /// The median jump as a multiple of an ordinary coin's.
    pub times: f64,
    /// The standard deviation of a jump's logarithm.
    pub spread: f64,
    /// The largest jump, as the logarithm of what it makes of the volume.
    pub max: f64,
}

impl Jumps {
    fn new(times: f64, spread: f64, max: f64) -> Self {
        Self { times, spread, max }
    }
}

/// One coin at the market's start.
#[derive(Debug, Clone)]
pub(super) struct Asset {
    pub id: Arc<str>,
    pub symbol: String,
    pub name: String,
    /// CoinGecko's name of the category it is found under.
    pub category: &'static str,
    pub nature: Nature,
    /// USD; none for a coin that CoinGecko lists without a price.
    pub price: Option<f64>,
    pub supply: f64,
    /// USD in 24 hours.
    pub volume_24h: f64,
    pub jumps: Jumps,
    /// It is traded so seldom that most refreshes bring nothing new.
    pub sleepy: bool,
    /// Its last refresh lies months back.
    pub abandoned: bool,
}

const FREE: &str = "layer-1";
const STABLE: &str = "stablecoins";
const MEME: &str = "meme-token";
const FUND: &str = "real-world-assets-rwa";

/// id, symbol, name, category, price, market cap, volume in 24 hours, volatility of a minute (floating) or noise of a
/// refresh (stablecoins), jumps of volume
type Named = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    f64,
    f64,
    f64,
    f64,
    f64,
);

#[rustfmt::skip]
const NAMED: [Named; 50] = [
    ("bitcoin", "btc", "Bitcoin", FREE, 68_000.0, 1.36e12, 4.5e10, 3.2e-4, 4.0),
    ("ethereum", "eth", "Ethereum", FREE, 2_130.0, 2.58e11, 1.9e10, 3.8e-4, 9.0),
    ("tether", "usdt", "Tether", STABLE, 0.999_75, 1.84e11, 7.4e10, 2.0e-6, 0.5),
    ("binancecoin", "bnb", "BNB", FREE, 611.0, 8.34e10, 1.05e9, 2.8e-4, 8.0),
    ("ripple", "xrp", "XRP", FREE, 1.35, 8.26e10, 1.95e9, 4.0e-4, 4.0),
    ("usd-coin", "usdc", "USDC", STABLE, 0.999_83, 7.74e10, 1.1e10, 5.0e-6, 14.0),
    ("solana", "sol", "Solana", FREE, 82.7, 4.74e10, 4.0e9, 4.5e-4, 0.8),
    ("tron", "trx", "TRON", FREE, 0.315, 2.99e10, 5.5e8, 1.4e-4, 4.0),
    ("figure-heloc", "figr_heloc", "Figure Heloc", FUND, 1.027, 1.67e10, 4.0e7, 1.0e-6, 1.0),
    ("dogecoin", "doge", "Dogecoin", MEME, 0.0924, 1.42e10, 1.1e9, 4.2e-4, 0.8),
    ("usds", "usds", "USDS", STABLE, 0.999_55, 1.17e10, 5.0e7, 6.0e-6, 0.5),
    ("whitebit", "wbt", "WhiteBIT Coin", FREE, 52.1, 1.11e10, 6.8e7, 2.0e-4, 2.0),
    ("leo-token", "leo", "LEO Token", FREE, 10.02, 9.2e9, 7.0e5, 2.0e-4, 1.0),
    ("cardano", "ada", "Cardano", FREE, 0.248, 9.15e9, 4.8e8, 4.6e-4, 1.5),
    ("bitcoin-cash", "bch", "Bitcoin Cash", FREE, 455.0, 9.1e9, 2.6e8, 3.6e-4, 0.8),
    ("hyperliquid", "hype", "Hyperliquid", FREE, 36.1, 8.6e9, 2.6e8, 6.0e-4, 0.5),
    ("chainlink", "link", "Chainlink", FREE, 8.97, 6.4e9, 3.4e8, 4.6e-4, 0.5),
    ("monero", "xmr", "Monero", FREE, 336.0, 6.2e9, 9.5e7, 5.0e-4, 0.6),
    ("ethena-usde", "usde", "Ethena USDe", STABLE, 0.999_06, 5.9e9, 1.5e8, 3.0e-5, 4.0),
    ("stellar", "xlm", "Stellar", FREE, 0.170, 5.6e9, 1.0e8, 4.6e-4, 1.5),
    ("canton-network", "cc", "Canton", FREE, 0.144, 5.5e9, 9.6e6, 5.0e-4, 0.6),
    ("dai", "dai", "Dai", STABLE, 0.999_95, 4.4e9, 1.2e8, 1.2e-5, 2.5),
    ("usd1-wlfi", "usd1", "USD1", STABLE, 0.999_76, 4.4e9, 1.2e9, 4.0e-5, 3.0),
    ("memecore", "m", "MemeCore", MEME, 2.44, 4.3e9, 1.0e7, 5.0e-4, 0.8),
    ("zcash", "zec", "Zcash", FREE, 254.0, 4.2e9, 3.8e8, 7.0e-4, 1.0),
    ("litecoin", "ltc", "Litecoin", FREE, 54.2, 4.2e9, 3.4e8, 4.0e-4, 1.0),
    ("paypal-usd", "pyusd", "PayPal USD", STABLE, 0.999_72, 4.0e9, 1.5e8, 3.0e-5, 1.5),
    ("avalanche-2", "avax", "Avalanche", FREE, 9.12, 3.9e9, 2.9e8, 4.6e-4, 0.7),
    ("hedera-hashgraph", "hbar", "Hedera", FREE, 0.0893, 3.9e9, 8.4e7, 4.6e-4, 1.0),
    ("rain", "rain", "Rain", FREE, 0.008_08, 3.9e9, 2.8e7, 5.0e-4, 0.8),
    ("shiba-inu", "shib", "Shiba Inu", MEME, 6.01e-6, 3.5e9, 1.2e8, 4.5e-4, 1.0),
    ("sui", "sui", "Sui", FREE, 0.888, 3.5e9, 3.6e8, 5.5e-4, 1.2),
    ("the-open-network", "ton", "Toncoin", FREE, 1.24, 3.1e9, 8.5e7, 4.5e-4, 2.0),
    ("crypto-com-chain", "cro", "Cronos", FREE, 0.0708, 3.0e9, 1.1e7, 3.6e-4, 0.6),
    ("bittensor", "tao", "Bittensor", FREE, 309.0, 3.0e9, 3.0e8, 7.0e-4, 0.8),
    ("hashnote-usyc", "usyc", "Circle USYC", FUND, 1.12, 2.7e9, 1.5e5, 1.0e-6, 1.0),
    ("tether-gold", "xaut", "Tether Gold", FREE, 4_729.0, 2.65e9, 4.0e8, 1.4e-4, 1.2),
    ("pax-gold", "paxg", "PAX Gold", FREE, 4_751.0, 2.44e9, 3.0e8, 1.2e-4, 1.2),
    ("mantle", "mnt", "Mantle", FREE, 0.701, 2.3e9, 4.0e7, 4.2e-4, 1.0),
    ("uniswap", "uni", "Uniswap", FREE, 3.6, 2.28e9, 1.7e8, 5.0e-4, 0.5),
    ("blackrock-usd-institutional-digital-liquidity-fund", "buidl", "BlackRock USD Institutional Digital Liquidity Fund", FUND, 1.0, 2.25e9, 0.0, 0.0, 0.0),
    ("polkadot", "dot", "Polkadot", FREE, 1.26, 2.12e9, 1.2e8, 4.6e-4, 0.8),
    ("global-dollar", "usdg", "Global Dollar", STABLE, 0.999_79, 1.84e9, 4.5e7, 1.2e-5, 12.0),
    ("okb", "okb", "OKB", FREE, 84.5, 1.78e9, 1.7e7, 3.4e-4, 0.4),
    ("falcon-finance", "usdf", "Falcon USD", STABLE, 0.996_97, 1.74e9, 8.0e5, 2.5e-5, 1.0),
    ("near", "near", "NEAR Protocol", FREE, 1.2, 1.55e9, 1.7e8, 5.5e-4, 0.8),
    ("aave", "aave", "Aave", FREE, 98.8, 1.5e9, 2.6e8, 5.5e-4, 0.4),
    ("pepe", "pepe", "Pepe", MEME, 3.42e-6, 1.44e9, 3.0e8, 5.5e-4, 0.8),
    ("astherus-usdf", "usdf", "Aster USDF", STABLE, 0.998_4, 1.42e9, 1.1e5, 2.0e-5, 2.0),
    ("merlin-meme", "m", "Merlin Meme", MEME, 0.031, 1.40e9, 8.0e6, 6.5e-4, 1.5),
];

/// Listed by id and on pages far down: ids, symbols and prices that break careless programs.
#[rustfmt::skip]
const ODD: [(&str, &str, &str, Option<f64>); 12] = [
    ("-6", "\u{3000}", "\u{3000}", Some(0.009_58)),
    ("-4", "🤡", "🤡", Some(3.713e-5)),
    ("lenny", "", "Lenny", Some(0.003_94)),
    ("1move token", "1mt", "1Move Token", Some(9.8816e-4)),
    ("boringdao-[old]", "bor", "BoringDAO [OLD]", Some(44.88)),
    ("croak_on_linea", "$croak", "Croak", Some(3.4843e-4)),
    ("status", "snt", "Status", Some(0.0142)),
    ("utility-ape", "$banana", "Utility Ape", None),
    ("babykitty", "babykitty", "BabyKitty", Some(0.0)),
    ("4chan", "4chan", "4Chan", Some(2.5303e-14)),
    ("the-longest-id-of-all-tokenised-short-term-treasury-bills-for-non-us-residents", "ifbill", "Tokenised Short-term Treasury Bills", Some(1.0)),
    ("very-dear", "dear", "Very Dear", Some(8.4e9)),
];

/// So many coins by falling market cap, then the odd ones if they are asked for.
pub(super) fn catalogue(seed: u64, coins: usize, odd_coins: bool) -> Vec<Asset> {
    let mut rng = stream(seed, u64::MAX - 1);
    let mut assets: Vec<Asset> = NAMED.iter().take(coins).map(named).collect();
    for rank in assets.len() + 1..=coins {
        assets.push(made_up(rank, &mut rng));
    }
    // One whose last refresh lies 209 days back stood low in the list of 250.
    if let Some(asset) = assets.get_mut(237) {
        asset.abandoned = true;
    }
    if odd_coins {
        assets.extend(ODD.iter().map(odd));
    }
    assets
}

fn named(&(id, symbol, name, category, price, cap, volume_24h, noise, unruly): &Named) -> Asset {
    Asset {
        id: id.into(),
        symbol: symbol.to_owned(),
        name: name.to_owned(),
        category,
        nature: match category {
            STABLE => Nature::Pegged { noise },
            FUND if volume_24h == 0.0 => Nature::Fund,
            FUND => Nature::Pegged { noise },
            _ => Nature::Floating { volatility: noise },
        },
        price: Some(price),
        supply: cap / price,
        volume_24h,
        jumps: Jumps::new(unruly, if category == STABLE { 2.7 } else { 2.0 }, 1.0),
        sleepy: category == FUND,
        abandoned: false,
    }
}

const SYLLABLES: [&str; 16] = [
    "ba", "ce", "dro", "fi", "gal", "hu", "jor", "ka", "lum", "mi", "nox", "pra", "qui", "ri",
    "sol", "ven",
];

fn made_up(rank: usize, rng: &mut ChaCha8Rng) -> Asset {
    let syllable = |digit: usize| SYLLABLES[digit % SYLLABLES.len()];
    let word = format!(
        "{}{}{}",
        syllable(rank),
        syllable(rank / 16),
        syllable(rank / 3)
    );
    let log_normal = |median: f64, sigma: f64, rng: &mut ChaCha8Rng| {
        let normal = Normal::new(median.ln(), sigma).expect("a finite sigma");
        normal.sample(rng).exp()
    };
    let kind = rng.random_range(0..100);
    let (nature, category) = match kind {
        0..14 => {
            let noise = log_normal(8e-6, 1.4, rng).min(2e-4);
            (Nature::Pegged { noise }, STABLE)
        }
        14..18 => (Nature::Fund, FUND),
        _ => {
            let volatility = log_normal(4.4e-4, 0.35, rng).clamp(1e-4, 1.2e-3);
            (
                Nature::Floating { volatility },
                if kind < 40 { MEME } else { FREE },
            )
        }
    };
    let price = match (nature, rng.random_range(0..100)) {
        (Nature::Pegged { .. }, _) => 1.0 - log_normal(3e-4, 1.0, rng).min(0.01),
        (Nature::Fund, _) => rng.random_range(1.0..1.2),
        (_, 0..55) => 10_f64.powf(rng.random_range(-1.3..0.0)),
        (_, 55..82) => 1.1 * 10_f64.powf(1.5 * rng.random::<f64>().powi(3)),
        _ => 10_f64.powf(rng.random_range(-6.5..-1.3)),
    };
    let cap = 1.6e9 * (rank as f64 / 50.0).powf(-1.65) * rng.random_range(0.99..1.01);
    let share = log_normal(0.05, 1.2, rng).min(1.0);
    let times = log_normal(0.8, 0.9, rng).clamp(0.1, 10.0);
    // One in twelve is now and then a hundred times what it was, and back.
    let spread = match (nature, rng.random_ratio(1, 12)) {
        (_, true) => 4.0,
        (Nature::Pegged { .. }, false) => 2.6,
        _ => 2.0,
    };
    let jumps = Jumps::new(times, spread, 4.6);
    let volume_24h = match nature {
        Nature::Fund => 0.0,
        Nature::Pegged { .. } => cap * share * 0.2,
        Nature::Floating { .. } => cap * share,
    };
    Asset {
        id: format!("{word}-{rank}").into(),
        symbol: word.clone(),
        name: word,
        category,
        nature,
        price: Some(price),
        supply: cap / price,
        volume_24h,
        jumps,
        sleepy: matches!(nature, Nature::Pegged { .. }) && rng.random_bool(0.4),
        abandoned: false,
    }
}

fn odd(&(id, symbol, name, price): &(&str, &str, &str, Option<f64>)) -> Asset {
    Asset {
        id: id.into(),
        symbol: symbol.to_owned(),
        name: name.to_owned(),
        category: MEME,
        nature: Nature::Floating { volatility: 5e-4 },
        price,
        supply: price
            .filter(|&price| price > 0.0)
            .map_or(0.0, |price| 1e5 / price),
        volume_24h: 2e4,
        jumps: Jumps::new(1.0, 2.0, 1.0),
        sleepy: true,
        abandoned: false,
    }
}
