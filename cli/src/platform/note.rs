//! The note in a data directory: whose data it holds, and what the last start used.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use console::MarketKind;
use jiff::Timestamp;
use lake::durable;
use serde::{Deserialize, Serialize};

/// CoinGecko's market in a directory's note.
pub(crate) const LIVE_MARKET: &str = "live data";
/// The synthetic market in a directory's note.
pub(crate) const SYNTHETIC_MARKET: &str = "the synthetic market";
/// The field market in a directory's note.
pub(crate) const FIELD_MARKET: &str = "the field market";
/// What earlier versions wrote in place of [`SYNTHETIC_MARKET`].
const SYNTHETIC_MARKET_FORMER: &str = "the made-up market";

/// Incremented when this version can no longer read an older directory.
pub(super) const LAYOUT: u32 = 1;
/// The file in a data directory that every start writes.
pub(crate) const NOTE: &str = "coinlake.json";
pub(super) const PARTIAL_NOTE: &str = "coinlake.json.partial";

/// The currency of notes that name none.
const DEFAULT_CURRENCY: &str = "usd";

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Note {
    layout: u32,
    #[serde(flatten)]
    pub(super) market: Market,
    #[serde(flatten)]
    pub(super) last_start: LastStart,
    /// When `up` trained last, or when it was first asked to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) trained: Option<Timestamp>,
}

/// Whose data a directory holds. A replay finds its position by counting records, and prices of two currencies do not
/// compare, so markets cannot be mixed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Market {
    #[serde(rename = "market")]
    pub(crate) name: String,
    /// In lower case.
    #[serde(default = "default_currency")]
    pub(crate) currency: String,
}

/// What the last start used, for commands that look at the directory.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct LastStart {
    /// Where the broker listens for clients on this machine.
    pub(crate) broker: Option<String>,
    /// The lake as an absolute folder or a URL; `None` is the directory's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) lake: Option<String>,
    /// The file of secrets, absolute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) secrets: Option<PathBuf>,
    /// The stages' commit interval.
    #[serde(with = "humantime_serde", skip_serializing_if = "Option::is_none")]
    pub(crate) commit_interval: Option<Duration>,
    /// What everything may take on disk, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) disk_budget: Option<u64>,
}

impl Market {
    /// Whether CoinGecko feeds it, and no replay, which ends.
    pub(crate) fn is_live(&self) -> bool {
        self.name == LIVE_MARKET
    }

    /// What the console says of it.
    pub(crate) fn for_console(&self) -> console::Market {
        console::Market {
            kind: match self.name.as_str() {
                LIVE_MARKET => MarketKind::Live,
                SYNTHETIC_MARKET | FIELD_MARKET => MarketKind::Demo,
                _ => MarketKind::Replay,
            },
            name: self.name.clone(),
            speed: None,
            currency: Some(self.currency.clone()),
        }
    }

    /// A market in US dollars.
    pub(crate) fn in_usd(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            currency: default_currency(),
        }
    }
}

fn default_currency() -> String {
    DEFAULT_CURRENCY.to_owned()
}

impl Note {
    /// The note of a directory that is new.
    pub(super) fn new(market: Market) -> Self {
        Self {
            layout: LAYOUT,
            market,
            last_start: LastStart::default(),
            trained: None,
        }
    }

    /// The note of the directory `root`; `None` if it has none.
    pub(super) fn read(root: &Path) -> Result<Option<Self>> {
        let path = root.join(NOTE);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| unusable(root)),
        };
        let mut note: Self = serde_json::from_slice(&text).with_context(|| {
            format!(
                "{} is damaged: restore it, or name another directory with --data",
                path.display()
            )
        })?;
        if note.market.name == SYNTHETIC_MARKET_FORMER {
            SYNTHETIC_MARKET.clone_into(&mut note.market.name);
        }
        if note.layout != LAYOUT {
            bail!(
                "data directory {} has layout {}, this version of coinlake reads layout {LAYOUT}: use the version that \
                 wrote it, or name another directory with --data",
                root.display(),
                note.layout
            );
        }
        Ok(Some(note))
    }

    pub(super) fn write(&self, root: &Path) -> Result<()> {
        let text = serde_json::to_vec_pretty(self).context("the note cannot be written as JSON")?;
        // Renamed into place: a kill or a power cut leaves the old note or the new one.
        let partial = root.join(PARTIAL_NOTE);
        durable::write(&partial, &text)
            .and_then(|()| durable::rename(&partial, &root.join(NOTE)))
            .map_err(|error| match error.kind() {
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded => anyhow!(
                    "data directory {} has no space left: free some",
                    root.display()
                ),
                _ => anyhow!(error).context(unusable(root)),
            })
    }
}

pub(super) fn unusable(root: &Path) -> String {
    format!(
        "data directory {} cannot be used: make it writable, or name another directory with --data",
        root.display()
    )
}
