//! The Alerts page: episodes, the newest live and older ones from the lake, and what people do about them.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, HashMap};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use market::Rule;
use serde::{Deserialize, Serialize};

use crate::api::error::ApiError;
use crate::desk::{DeskChange, DeskNotes, Told};
use crate::history::{Counts, Episode, Mark, alerts, episodes};
use crate::shared::Shared;

/// Episodes that a page shows at once.
const PAGE_LENGTH: usize = 50;
/// Episodes of the live list.
const LIVE_MAX: usize = 200;

/// Which episodes to show.
#[derive(Debug, Clone, Default)]
pub(crate) struct AlertFilter {
    /// Part of a coin's id or symbol.
    coin: String,
    /// The worst severity.
    severity: String,
    /// A built-in kind, or `rule:NAME`.
    kind: String,
    /// `open` leaves out what is acknowledged and what is muted.
    state: String,
}

impl AlertFilter {
    pub(crate) fn new(coin: &str, severity: &str, kind: &str, state: &str) -> Self {
        Self {
            coin: coin.trim().to_lowercase(),
            severity: severity.to_owned(),
            kind: kind.to_owned(),
            state: state.to_owned(),
        }
    }

    fn wants(&self, episode: &Episode, notes: &DeskNotes, now_ms: i64) -> bool {
        let Episode {
            coin,
            symbol,
            subject,
            begin,
            end,
            ..
        } = episode;
        let is_named = |name: &str| name.to_lowercase().contains(&self.coin);
        let is_of_kind = match Rule::name_of_kind(&self.kind) {
            Some(rule) => subject == rule,
            None => {
                let mut alerts = episode.alerts.iter();
                subject.is_empty() && alerts.any(|alert| alert.kinds.contains(&self.kind))
            }
        };
        (is_named(coin) || is_named(symbol))
            && (self.severity.is_empty() || episode.severity().as_str() == self.severity)
            && (self.kind.is_empty() || is_of_kind)
            && !(self.state == "open"
                && (notes.is_muted(coin, now_ms)
                    || notes.is_acknowledged(coin, subject, *begin, *end)))
    }
}

/// How much there is.
#[derive(Debug, Serialize)]
struct Summary {
    alerts: usize,
    episodes: usize,
    counts: Counts,
}

/// An episode with what people did about it.
#[derive(Debug, Serialize)]
struct Shown {
    #[serde(flatten)]
    episode: Episode,
    acknowledged: bool,
    /// By receiver, how many of its alerts met which end.
    told: BTreeMap<String, BTreeMap<Told, usize>>,
}

/// What readers may do, and what they did.
#[derive(Debug, Serialize)]
struct Desk {
    writable: bool,
    /// By coin, until when.
    mutes: BTreeMap<String, i64>,
}

/// What is known of the desk at one moment.
struct AtDesk<'a> {
    shared: &'a Shared,
    notes: DeskNotes,
    now_ms: i64,
}

impl<'a> AtDesk<'a> {
    fn now(shared: &'a Shared) -> Self {
        let notes = shared.desk.as_ref().map(|desk| desk.notes());
        Self {
            shared,
            notes: notes.unwrap_or_default(),
            now_ms: shared.cluster.clock().now_ms(),
        }
    }

    fn desk(&self) -> Desk {
        let mutes = self.notes.mutes.iter();
        let mutes = mutes.filter(|(_, until)| self.now_ms < **until);
        Desk {
            writable: self
                .shared
                .desk
                .as_ref()
                .is_some_and(|desk| desk.is_writable()),
            mutes: mutes.map(|(coin, until)| (coin.clone(), *until)).collect(),
        }
    }

    fn show(&self, episode: Episode) -> Shown {
        let Episode {
            coin,
            subject,
            begin,
            end,
            ..
        } = &episode;
        let mut told: BTreeMap<String, BTreeMap<Told, usize>> = BTreeMap::new();
        if let Some(desk) = &self.shared.desk {
            for (receiver, told_of) in
                (episode.alerts.iter()).flat_map(|alert| desk.told(&alert.alert_id))
            {
                *told
                    .entry(receiver)
                    .or_default()
                    .entry(told_of)
                    .or_default() += 1;
            }
        }
        Shown {
            acknowledged: self.notes.is_acknowledged(coin, subject, *begin, *end),
            told,
            episode,
        }
    }
}

/// The newest episodes as they come: what a page has not been sent yet.
#[derive(Default)]
pub(crate) struct EpisodeFeed {
    filter: AlertFilter,
    /// How many alerts there were, and the desk's version, when something was last sent.
    version: Option<(u64, u64)>,
    /// When the first of the mutes that were sent ends.
    mute_ends: i64,
    /// What was sent of each episode, as a hash.
    sent: HashMap<String, u64>,
}

/// The live list of the page.
#[derive(Serialize)]
pub(crate) struct EpisodesEvent {
    summary: Summary,
    desk: Desk,
    /// All episodes of the list, newest first.
    ids: Vec<String>,
    /// Those that are new or have changed.
    changed: Vec<Shown>,
}

impl EpisodeFeed {
    pub(crate) fn new(filter: AlertFilter) -> Self {
        Self {
            filter,
            ..Self::default()
        }
    }

    /// What has changed since the last call; `None` where nothing has.
    pub(crate) fn changes(&mut self, shared: &Shared) -> Option<EpisodesEvent> {
        // Before the notes are read: what changes meanwhile is sent the next time.
        let desk_version = shared.desk.as_ref().map_or(0, |desk| desk.version());
        let version = (shared.alerts.lock().count(), desk_version);
        let is_known = self.version.replace(version) == Some(version);
        if is_known && shared.cluster.clock().now_ms() < self.mute_ends {
            return None;
        }
        let at = AtDesk::now(shared);
        let desk = at.desk();
        self.mute_ends = desk.mutes.values().copied().min().unwrap_or(i64::MAX);
        let (_, newest) = shared.alerts.lock().since(0);
        let marks: Vec<Mark> = newest.into_iter().map(Mark::from).collect();
        let alerts = marks.len();
        let mut all = episodes(marks);
        {
            let alerts = shared.alerts.lock();
            for episode in &mut all {
                let begin = alerts.begin_of(&episode.coin, &episode.subject, episode.begin);
                episode.has_begun(begin);
            }
        }
        let first = all.iter().map(|it| it.begin).min();
        let last = all.iter().map(|it| it.end).max();
        let times = first.unwrap_or(0)..=last.unwrap_or(0);
        let mut wanted: Vec<Episode> = (all.into_iter())
            .filter(|it| self.filter.wants(it, &at.notes, at.now_ms))
            .collect();
        let summary = Summary {
            alerts,
            episodes: wanted.len(),
            counts: Counts::new(&wanted, &times),
        };
        wanted.drain(..wanted.len().saturating_sub(LIVE_MAX));
        wanted.reverse();
        let ids: Vec<String> = wanted.iter().map(|it| it.id.clone()).collect();
        let before = std::mem::take(&mut self.sent);
        let mut changed = Vec::new();
        for shown in wanted.into_iter().map(|episode| at.show(episode)) {
            let (id, hash) = (shown.episode.id.clone(), hash_of(&shown));
            if before.get(&id) != Some(&hash) {
                changed.push(shown);
            }
            self.sent.insert(id, hash);
        }
        Some(EpisodesEvent {
            summary,
            desk,
            ids,
            changed,
        })
    }
}

/// What can change of an episode without its name changing.
fn hash_of(shown: &Shown) -> u64 {
    let Shown {
        episode,
        acknowledged,
        told,
    } = shown;
    let mut hasher = DefaultHasher::new();
    (episode.alerts.len(), episode.end, acknowledged, told).hash(&mut hasher);
    hasher.finish()
}

/// Which past to show.
#[derive(Debug, Deserialize)]
pub(crate) struct PastQuery {
    /// Length of the range, up to `until`; without it, and without `from`, everything.
    minutes: Option<u32>,
    /// In milliseconds since the epoch.
    from: Option<i64>,
    /// At most the market's newest time, which is also the default.
    until: Option<i64>,
    /// From 1.
    #[serde(default)]
    page: usize,
    #[serde(default)]
    coin: String,
    #[serde(default)]
    severity: String,
    #[serde(default)]
    kind: String,
    #[serde(default)]
    state: String,
}

/// A page of the past.
#[derive(Serialize)]
pub(crate) struct Past {
    from: i64,
    until: i64,
    summary: Summary,
    desk: Desk,
    page: usize,
    pages: usize,
    /// Whether every alert of the range was read.
    complete: bool,
    /// Newest first.
    episodes: Vec<Shown>,
}

pub(crate) async fn past(
    State(shared): State<Arc<Shared>>,
    Query(query): Query<PastQuery>,
) -> Result<Json<Past>, ApiError> {
    let filter = AlertFilter::new(&query.coin, &query.severity, &query.kind, &query.state);
    let newest = shared.market.lock().newest_time();
    let newest = newest.unwrap_or_else(|| shared.cluster.clock().now_ms());
    let until = query.until.map_or(newest, |until| until.min(newest));
    let minutes = query
        .minutes
        .map(|minutes| until.saturating_sub(i64::from(minutes) * 60_000));
    let times = query.from.or(minutes).unwrap_or(0)..=until;
    let (marks, complete) = alerts(&shared.cluster, &shared.tables, None, &times).await?;
    let at = AtDesk::now(&shared);
    let first = marks.first().map(|mark| mark.event_time);
    let from = query.from.or(minutes).or(first).unwrap_or(until);
    let alerts = marks.len();
    let mut wanted: Vec<Episode> = (episodes(marks).into_iter())
        .filter(|it| filter.wants(it, &at.notes, at.now_ms))
        .collect();
    wanted.reverse();
    let pages = wanted.len().div_ceil(PAGE_LENGTH).max(1);
    let page = query.page.clamp(1, pages);
    let summary = Summary {
        alerts,
        episodes: wanted.len(),
        counts: Counts::new(&wanted, &(from..=until)),
    };
    let shown = wanted
        .into_iter()
        .skip((page - 1) * PAGE_LENGTH)
        .take(PAGE_LENGTH);
    Ok(Json(Past {
        from,
        until,
        summary,
        desk: at.desk(),
        page,
        pages,
        complete,
        episodes: shown.map(|episode| at.show(episode)).collect(),
    }))
}

/// Does what a reader asks for.
pub(crate) async fn change(
    State(shared): State<Arc<Shared>>,
    Json(change): Json<DeskChange>,
) -> Result<StatusCode, ApiError> {
    let desk = shared.desk.as_ref().ok_or_else(|| {
        ApiError::not_found("this console keeps nothing that people do about alerts")
    })?;
    desk.change(change)
        .map_err(|error| ApiError::bad_request(format!("{error:#}")))?;
    Ok(StatusCode::NO_CONTENT)
}
