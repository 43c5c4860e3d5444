// Where the data comes from: the badge in the frame, on every page, and what the source says of itself on the Pipeline.

import { setText } from "./dom.js";
import * as format from "./format.js";

const badge = document.getElementById("market");
const credit = document.getElementById("credit");
const invented = document.getElementById("invented");

const WHAT = {
  live: "CoinGecko's market, live",
  demo: "A synthetic market: its prices are invented",
  replay: "A recording, replayed: its prices are of the past",
};

/** What the market is called where its data comes in. */
const SOURCES = { live: "CoinGecko", demo: "Synthetic market", replay: "Recording" };

/** The newest time of a market that is replayed, which is its present. */
let replayed = null;

/** Older than this, a tick looks old. */
const AGE_MS_MAX = 10 * 60_000;

/** The market's own present; null until the console has said what it shows. */
function present() {
  return badge.dataset.kind === undefined ? null : replayed ?? Date.now();
}

/** Whether a time is old for the market. */
export function isOld(time) {
  const now = present();
  return now !== null && now - time > AGE_MS_MAX;
}

/** The age of a tick, by the market's own present. */
export function ageOf(time) {
  const now = present();
  return now === null ? format.age(null) : format.age(time, now);
}

/** How old a tick is, as text that goes on after its time; nothing for a market that is replayed, which has no present but its ticks. */
export function agePhrase(time) {
  return badge.dataset.kind === "live" ? ` (${format.age(time)} old)` : "";
}

/** Calls `changed` when it becomes known which market is shown. Returns a function that stops this. */
export function onSourceChange(changed) {
  document.addEventListener("sourcechange", changed);
  return () => document.removeEventListener("sourcechange", changed);
}

/** What the source polls. */
export function sourceName() {
  return SOURCES[badge.dataset.kind] ?? SOURCES.live;
}

/** Says nothing of the market: nobody knows what it does now. */
export function hideMarket() {
  badge.hidden = true;
}

/** Shows whether the market is live, and its date and speed where it is not; how old the data is where it is old. */
export function showMarket({ market, newest_ms, ended, silent }) {
  const { kind, name, speed } = market;
  replayed = kind === "live" ? null : newest_ms;
  const day = newest_ms === null ? "" : ` ${format.time(newest_ms).slice(0, 10)}`;
  const old = kind === "live" && silent;
  const pace = ended ? ", ended" : speed && speed !== 1 ? `, ${format.count(speed)}×` : "";
  const isEmpty = kind === "live" && newest_ms === null;
  const text = kind !== "live" ? `${kind}${day}${pace}` : isEmpty ? "no data yet" : old ? `live, ${format.age(newest_ms)} old` : "live";
  badge.hidden = false;
  const isNew = badge.dataset.kind !== kind;
  if (isNew) badge.dataset.kind = kind;
  badge.classList.toggle("old", old || isEmpty);
  setText(badge, text);
  const clock = replayed === null ? "" : `; its clock stands at ${format.time(replayed)}`;
  const title = `${WHAT[kind]} (${name})${clock}`;
  if (badge.title !== title) badge.title = title;
  credit.hidden = kind === "demo";
  invented.hidden = kind !== "demo";
  if (isNew) document.dispatchEvent(new Event("sourcechange"));
}

const REPLIES = { page: "new", chart: "history", unchanged: "unchanged" };

/** The source in a few words. */
export function sourceInBrief({ source }) {
  if (source === null) return "polled by coingecko-source";
  if (source.backfilling !== null) return `filling in the past: ${source.backfilling.join(" of ")} coins`;
  if (source.ended) return "the market has ended";
  if (source.last_reply_ms === null) return "no reply yet";
  return `last reply ${format.age(source.last_reply_ms)} ago`;
}

/** What there is to say about the source, as names and values. */
export function facts({ source, survey }) {
  const found = [];
  const fresh = survey?.freshness ?? null;
  if (source !== null) {
    found.push(["Last reply", source.last_reply_ms === null ? "none yet" : `${format.time(source.last_reply_ms)}`]);
    if (source.poll_seconds > 0) found.push(["Polls", `every ${format.seconds(source.poll_seconds)}`]);
  }
  if (fresh !== null) {
    found.push(["Newest tick", fresh.newest_tick_seconds === null ? "–" : `${format.seconds(fresh.newest_tick_seconds)} old`]);
    found.push(["Something new came", format.ago(fresh.seconds_since_arrival)]);
    const [oldest] = fresh.coins;
    if (fresh.coins.length > 1) found.push(["Oldest coin", `${oldest.coin}, ${format.seconds(oldest.seconds)} old`]);
  }
  if (source !== null) {
    const replies = Object.entries(source.replies).map(([kind, n]) => `${format.count(n)} ${REPLIES[kind] ?? kind.replaceAll("_", " ")}`);
    found.push(["Replies since the start", replies.length > 0 ? replies.join(", ") : "none yet"]);
    const { calls_this_month: used, calls_per_month: all } = source;
    found.push(["Calls left this month", all === null ? `no limit; ${format.count(used)} made` : `${format.count(Math.max(0, all - used))} of ${format.count(all)}`]);
  }
  return found;
}
