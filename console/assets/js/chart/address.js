// What the chart page shows, as its address says it: `#/coin/bitcoin?minutes=60`.

import { dateField } from "../format.js";

export const RANGES = [[15, "15 min"], [60, "1 h"], [360, "6 h"], [1440, "1 day"], [10_080, "7 days"]];
const MINUTES = 60;
const MINUTE_MS = 60_000;

/**
 * What an address asks for. A range is the last `minutes`, which go on, or as many around `at`; with `from` it is that of the dates,
 * and without `to` it goes on, too.
 */
export function readAddress(coin, query) {
  const minutes = RANGES.some(([m]) => String(m) === query.get("minutes")) ? Number(query.get("minutes")) : MINUTES;
  const from = readDate(query.get("from") ?? "");
  const to = from === null ? null : readDate(query.get("to") ?? "");
  const at = from === null ? Number(query.get("at")) || null : null;
  const other = query.get("with") ?? "";
  return { coin, minutes, at, from, to, candles: query.get("as") === "candles", other: other === coin ? "" : other };
}

/** The address that asks for this. */
export function addressOf({ coin, minutes, at, from, to, candles, other }) {
  const query = new URLSearchParams();
  if (from !== null) {
    query.set("from", dateField(from));
    if (to !== null) query.set("to", dateField(to));
  } else {
    query.set("minutes", minutes);
    if (at !== null) query.set("at", at);
  }
  if (candles) query.set("as", "candles");
  if (other !== "") query.set("with", other);
  return `#/coin/${encodeURIComponent(coin)}?${query.toString().replaceAll("%3A", ":")}`;
}

/** What the console is asked for. */
export function questionOf({ minutes, at, from, to }) {
  if (from !== null) return to === null ? { from } : { from, until: to };
  return at === null ? { minutes } : { minutes, until: at + minutes * MINUTE_MS / 2 };
}

/** Whether the range ends with the newest tick, and moves on with it. */
export function isLive({ at, to }) {
  return at === null && to === null;
}

/** A date as fields and addresses have it, in UTC: `2025-06-01T14:05`; null if it is none. */
export function readDate(text) {
  const ms = /^\d{4,}-\d\d-\d\dT\d\d:\d\d/.test(text) ? Date.parse(`${text.slice(0, 16)}Z`) : NaN;
  return Number.isNaN(ms) ? null : ms;
}
