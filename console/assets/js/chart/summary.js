// The ticks in view, in words and as a file.

import * as format from "../format.js";
import { changesOf } from "./comparison.js";
import { placeOf } from "./plot.js";

/** The ticks of a coin whose times are within from..to; null if there are none. */
function within({ time, price, volume_24h }, from, to) {
  const first = placeOf(time, from);
  const end = placeOf(time, to + 1);
  if (first >= end) return null;
  const prices = price.slice(first, end);
  return {
    first: time[first], last: time[end - 1], prices, volume: volume_24h[end - 1],
    low: prices.reduce((a, b) => Math.min(a, b)), high: prices.reduce((a, b) => Math.max(a, b)),
  };
}

function changeOf({ prices }) {
  return format.change(prices.at(-1) / prices[0] - 1);
}

/** Ticks of less than this share of a range are a part of it. */
const WHOLE = 0.9;
const HOUR_MS = 3_600_000;

/** From when to when; of a range that reaches farther back than its ticks, how much there is of it. */
function spanOf({ first, last }, range_ms) {
  const length = last - first;
  if (range_ms === null || length > WHOLE * range_ms) return `from ${format.time(first)} to ${format.timeAfter(last, first)}`;
  const [unit, ms] = length < HOUR_MS ? ["min", HOUR_MS / 60] : length < 48 * HOUR_MS ? ["h", HOUR_MS] : ["d", 24 * HOUR_MS];
  return `since ${format.timeAfter(first, last)} (${format.decimal(length / ms)} ${unit} of data)`;
}

/** What there is to say of the times in view, of which some ticks may be `hidden`. `isRange`: they are the whole range that was chosen. */
export function inWords({ columns, others, alerts }, { coin, other, minutes }, from, to, hidden = { ticks: 0, past: 0 }, isRange = false) {
  const ticks = within(columns, from, to);
  if (ticks === null) return "No tick in this part.";
  const parts = [`${others ? `${coin} ` : ""}${changeOf(ticks)} ${spanOf(ticks, isRange ? minutes * 60_000 : null)}`,
    `low ${format.price(ticks.low)}`, `high ${format.money(format.price(ticks.high))}`];
  if (ticks.volume !== null) parts.push(`24 h volume ${format.money(format.count(ticks.volume))}`);
  const first = placeOf(columns.time, from);
  const backfilled = columns.backfilled.slice(first, first + ticks.prices.length);
  const past = backfilled.filter(Boolean).length + hidden.past;
  if (past > 0) parts.push(`${format.count(past)} of ${format.counted(backfilled.length + hidden.ticks, "tick")} from history`);
  if (others) {
    const second = within(others, from, to);
    parts.push(second === null ? `no tick of ${other}` : `${other} ${changeOf(second)}`);
  }
  parts.push(format.counted(alertsWithin(alerts, from, to).length, "alert"));
  return parts.join(", ");
}

export function alertsWithin(alerts, from, to) {
  return alerts.filter(({ event_time }) => event_time >= from && event_time <= to);
}

const TICKS = ["price", "ma_5m", "ma_15m", "band_low", "band_high", "volume_24h", "zscore_15m", "anomaly_probability", "trend_up_probability", "backfilled"];
const CANDLES = ["open", "high", "low", "close"];

/** What is in view as rows of a table, the heads first. */
export function asRows({ columns, others, candles }, view, from, to) {
  const stretch = (table, names, coin) => {
    const begin = placeOf(table.time, from);
    const times = table.time.slice(begin, placeOf(table.time, to + 1));
    return times.map((time, i) => [new Date(time).toISOString(), coin, ...names.map((name) => table[name][begin + i]), format.CURRENCY]);
  };
  const { coin, other } = view;
  if (others) {
    const changed = (table) => ({ ...table, change: changesOf(table) });
    const names = ["price", "change"];
    return [["time", "coin", ...names, "currency"], ...stretch(changed(columns), names, coin), ...stretch(changed(others), names, other)];
  }
  if (view.candles) return [["begin", "coin", ...CANDLES, "currency"], ...stretch(candles, CANDLES, coin)];
  return [["time", "coin", ...TICKS, "currency"], ...stretch(columns, TICKS, coin)];
}
