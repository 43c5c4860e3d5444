//! What a poll asks for: pages of ranks, pages of ids.

use std::collections::BTreeSet;

use bytes::Bytes;
use reqwest::header::HeaderValue;
use url::Url;

/// CoinGecko's largest page, of coins or of ids.
const PAGE_COINS_MAX: usize = 250;
/// The longest address: what servers take as a line of a request is mostly 8 KiB.
const URL_BYTES_MAX: usize = 8_000;

/// The coins to ask for.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// The address of `/coins/markets`.
    pub markets: Url,
    pub vs_currency: String,
    pub category: Option<String>,
    /// How many of the largest coins; none when only ids are asked for.
    pub top: Option<usize>,
    /// Coins by their ids.
    pub ids: Vec<String>,
}

/// By what the server recognises a reply we have: the entity tag and the date it sent along.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Validators {
    pub etag: Option<HeaderValue>,
    pub last_modified: Option<HeaderValue>,
}

/// One call of a poll.
#[derive(Debug)]
pub(crate) struct Page {
    pub url: Url,
    pub coins: PageCoins,
    /// The reply we have.
    pub known: Option<Validators>,
    /// How many elements it had when it last came.
    pub elements: usize,
    /// Its coins when it last came, where they are asked for by rank and some by id, too.
    pub keys: Vec<Bytes>,
}

/// Which coins a page is to bring.
#[derive(Debug)]
pub(crate) enum PageCoins {
    /// The next so many by rank: of the top 300, page 2 is to bring 50.
    Ranks(usize),
    Ids {
        ids: Vec<String>,
        /// Those of them that the last reply left out.
        missing: BTreeSet<String>,
    },
}

impl Page {
    fn new(url: Url, coins: PageCoins) -> Self {
        Self {
            url,
            coins,
            known: None,
            elements: 0,
            keys: Vec::new(),
        }
    }

    pub(crate) fn is_of_ranks(&self) -> bool {
        matches!(self.coins, PageCoins::Ranks(_))
    }

    /// The list ends before this page: what it last said holds no longer.
    pub(super) fn forget(&mut self) {
        self.known = None;
        self.elements = 0;
        self.keys.clear();
    }
}

impl Asked {
    /// The calls of a poll: ranks first, in their order.
    pub(crate) fn pages(&self) -> Vec<Page> {
        let top = self.top.unwrap_or(0);
        let ranks = (0..top.div_ceil(PAGE_COINS_MAX)).map(|page| {
            let mut url = self.url(top.min(PAGE_COINS_MAX), page + 1);
            if let Some(category) = &self.category {
                url.query_pairs_mut().append_pair("category", category);
            }
            let wanted = (top - page * PAGE_COINS_MAX).min(PAGE_COINS_MAX);
            Page::new(url, PageCoins::Ranks(wanted))
        });
        ranks.chain(self.pages_of_ids(self.ids.clone())).collect()
    }

    /// A page of ids as two, each with half of them; none when there is no half.
    pub(crate) fn halves(&self, page: &Page) -> Option<[Page; 2]> {
        let PageCoins::Ids { ids, .. } = &page.coins else {
            return None;
        };
        let (first, second) = ids.split_at(ids.len() / 2);
        (!first.is_empty()).then(|| [first, second].map(|half| self.page_of_ids(half.to_vec())))
    }

    fn pages_of_ids(&self, ids: Vec<String>) -> Vec<Page> {
        let room = URL_BYTES_MAX.saturating_sub(self.page_of_ids(Vec::new()).url.as_str().len());
        let mut pages = Vec::new();
        let (mut chunk, mut bytes) = (Vec::new(), 0);
        for id in ids {
            // The comma before it is %2C.
            let length = 3 + url::form_urlencoded::byte_serialize(id.as_bytes())
                .map(str::len)
                .sum::<usize>();
            if !chunk.is_empty() && (chunk.len() == PAGE_COINS_MAX || bytes + length > room) {
                pages.push(self.page_of_ids(std::mem::take(&mut chunk)));
                bytes = 0;
            }
            bytes += length;
            chunk.push(id);
        }
        if !chunk.is_empty() {
            pages.push(self.page_of_ids(chunk));
        }
        pages
    }

    fn page_of_ids(&self, ids: Vec<String>) -> Page {
        let mut url = self.url(PAGE_COINS_MAX, 1);
        url.query_pairs_mut().append_pair("ids", &ids.join(","));
        let missing = BTreeSet::new();
        Page::new(url, PageCoins::Ids { ids, missing })
    }

    fn url(&self, per_page: usize, page: usize) -> Url {
        let mut url = self.markets.clone();
        url.query_pairs_mut()
            .append_pair("vs_currency", &self.vs_currency)
            .append_pair("order", "market_cap_desc")
            // All digits: rounded, a stablecoin steps by 0.1 % just above 1.
            .append_pair("precision", "full")
            .append_pair("per_page", &per_page.to_string())
            .append_pair("page", &page.to_string());
        url
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(top: Option<usize>, ids: Vec<String>) -> Asked {
        Asked {
            markets: "https://api.coingecko.com/api/v3/coins/markets"
                .parse()
                .unwrap(),
            vs_currency: "usd".to_owned(),
            category: None,
            top,
            ids,
        }
    }

    #[test]
    fn ranks_are_asked_for_in_pages_of_250() {
        let mut asked = asked(Some(600), vec!["1move token".to_owned()]);
        asked.category = Some("layer-1".to_owned());
        let pages = asked.pages();
        let urls: Vec<&str> = pages.iter().map(|page| page.url.query().unwrap()).collect();
        let ranks = |page: usize| {
            format!(
                "vs_currency=usd&order=market_cap_desc&precision=full&per_page=250&page={page}&category=layer-1"
            )
        };
        assert_eq!(urls[..3], [ranks(1), ranks(2), ranks(3)]);
        assert!(urls[3].ends_with("&page=1&ids=1move+token"), "{}", urls[3]);
        let wanted: Vec<usize> = pages
            .iter()
            .filter_map(|page| match page.coins {
                PageCoins::Ranks(wanted) => Some(wanted),
                PageCoins::Ids { .. } => None,
            })
            .collect();
        assert_eq!(wanted, [250, 250, 100]);
    }

    fn ids(page: &Page) -> &[String] {
        match &page.coins {
            PageCoins::Ids { ids, .. } => ids,
            PageCoins::Ranks(_) => panic!("a page of ranks"),
        }
    }

    #[test]
    fn ids_are_split_so_that_no_address_is_too_long() {
        let names = |count: usize, bytes: usize| -> Vec<String> {
            (0..count).map(|n| format!("{n:0>bytes$}")).collect()
        };
        for (all, pages_expected) in [
            (names(0, 10), 0),
            (names(250, 10), 1),
            (names(251, 10), 2),
            (names(250, 50), 2),
            (names(1_000, 250), 33),
            // Each byte of these becomes three.
            (vec!["é".repeat(40); 250], 8),
            // This one fits nowhere; the server may say so.
            (vec!["x".repeat(10_000), "bitcoin".to_owned()], 2),
        ] {
            let asked = asked(None, all.clone());
            let pages = asked.pages();
            assert_eq!(pages.len(), pages_expected);
            let asked_for: Vec<&String> = pages.iter().flat_map(ids).collect();
            assert!(asked_for.into_iter().eq(&all));
            for page in &pages {
                let length = page.url.as_str().len();
                assert!(length <= URL_BYTES_MAX || ids(page).len() == 1, "{length}");
            }
        }
    }

    #[test]
    fn a_page_is_halved_until_one_id_is_left() {
        let asked = asked(None, ["a", "b", "c"].map(str::to_owned).to_vec());
        let page = asked.pages().remove(0);
        let [first, second] = asked.halves(&page).unwrap();
        assert_eq!((ids(&first).len(), ids(&second).len()), (1, 2));
        assert!(asked.halves(&first).is_none());
        assert!(asked.halves(&asked_ranks()).is_none());
    }

    fn asked_ranks() -> Page {
        asked(Some(1), Vec::new()).pages().remove(0)
    }
}
