//! What can be switched off about the delivery.

/// How `last_updated` is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dating {
    /// Until 2026-07-23: each coin carries the time of its own last refresh, 60 s old in the median.
    OwnTime,
    /// Since 2026-07-23: the coins of a reply share one whole second, 182 s old in the median, with
    /// [`Faults::relapses`] to the old way.
    SharedTime,
}

/// The faults of CoinGecko's delivery that the market shows, each measured on recorded replies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Faults {
    /// Replies are cached for half a minute to 261 s, so that a later one can be the same, byte for byte.
    pub caches: bool,
    /// With [`Dating::SharedTime`]: some replies a day are dated the old way.
    pub relapses: bool,
    /// The same reply for 6 minutes to 10 hours, 1.5 times a month.
    pub frozen: bool,
    /// A coin's `last_updated` goes back (8 of 10,000), or comes again with another price (5 of 1,000).
    pub backward: bool,
    /// Coins that are not refreshed for minutes to days, and one for months.
    pub stale: bool,
    /// Exchanges that drop out of a coin's volume and come back.
    pub volume_jumps: bool,
    /// Coins that enter and leave the list by rank, and once in a long while dozens at once.
    pub membership: bool,
    /// A price of null: 2 in a million.
    pub null_prices: bool,
    /// A dozen coins with odd ids, symbols and prices, far down the list.
    pub odd_coins: bool,
    /// Error replies instead of the list, one to three minutes long.
    pub refusals: bool,
}

impl Faults {
    /// CoinGecko as it is.
    pub const ALL: Self = Self::same(true);
    /// CoinGecko as one would wish it.
    pub const NONE: Self = Self::same(false);

    const fn same(on: bool) -> Self {
        Self {
            caches: on,
            relapses: on,
            frozen: on,
            backward: on,
            stale: on,
            volume_jumps: on,
            membership: on,
            null_prices: on,
            odd_coins: on,
            refusals: on,
        }
    }
}
