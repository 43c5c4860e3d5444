// The columns of the Market page.

import * as format from "../format.js";
import { ageOf, isOld } from "../source.js";

/**
 * `of` is the field, `order` what a row is sorted by where that is another. `room` is the least room a column needs: phones show those
 * without, tablets not those that need `much`.
 */
export const COLUMNS = [
  { name: "Coin", of: "coin", text: true, order: ({ name, coin }) => (name ?? coin).toLowerCase() },
  { name: format.inMoney("Price"), of: "price", show: format.price, exact: true },
  { name: "1 min", of: "return_1m", show: format.change, signed: true, room: "much" },
  { name: "5 min", of: "return_5m", show: format.change, signed: true, room: "much" },
  { name: "15 min", of: "return_15m", show: format.change, signed: true, room: "some" },
  { name: "24 h", of: "change_24h_pct", show: (v) => format.change(v === null ? null : v / 100), signed: true,
    title: "Change of the price in 24 hours, as CoinGecko gives it; – where it gives none" },
  { name: "Last hour", spark: true },
  { name: "z-score", of: "zscore_15m", show: (v) => format.decimal(v, 1), alarming: (v) => Math.abs(v) > 3, room: "some",
    title: "Distance of the price from its recent mean, in standard deviations" },
  { name: "Surge", of: "volume_surge", show: (v) => format.decimal(v, 1), alarming: (v) => v > 3, room: "much",
    title: "Volume traded in the last minutes, relative to the average of the last 24 hours; below zero where CoinGecko corrects it downwards" },
  { name: "Anomaly", of: "anomaly_probability", show: format.probability, bar: true, room: "some",
    title: "Probability that an episode of warnings begins within 15 minutes, from the model in production" },
  { name: "Trend up", of: "trend_up_probability", show: format.probability, bar: true, room: "some",
    title: "Probability that the price is higher in 15 minutes, from the model in production" },
  { name: "Tick", of: "event_time", order: ({ event_time }) => -event_time, show: ageOf, old: isOld, room: "some",
    title: "Age of the newest tick, by the time that CoinGecko gives it" },
  { name: "Volume", of: "volume_24h", show: format.count, room: "some", title: `${format.inMoney("Volume traded in 24 hours")}, as CoinGecko gives it` },
  { name: "Market cap", of: "market_cap", show: format.count, room: "some", title: format.inMoney("Market capitalization") },
];

const FIRST_ORDER = { of: "market_cap", descending: true };

/** What the address says: the order, what is looked for, and whether only watched coins are shown. */
export function readChoice(query) {
  const column = COLUMNS.find(({ of }) => of !== undefined && of === query.get("sort"));
  return {
    order: column ? { of: column.of, descending: query.get("order") !== "up" } : FIRST_ORDER,
    wanted: (query.get("find") ?? "").trim().toLowerCase(),
    onlyWatched: query.get("show") === "watched",
  };
}

/** The address that says it. */
export function addressOf({ order, wanted, onlyWatched }) {
  const query = new URLSearchParams();
  if (order.of !== FIRST_ORDER.of || order.descending !== FIRST_ORDER.descending) {
    query.set("sort", order.of);
    if (!order.descending) query.set("order", "up");
  }
  if (wanted !== "") query.set("find", wanted);
  if (onlyWatched) query.set("show", "watched");
  const text = query.toString();
  return `#/market${text ? "?" + text : ""}`;
}

/** Sorts rows by an order. Coins without a value come last in both directions. */
export function sorted(rows, { of, descending }) {
  const sign = descending ? -1 : 1;
  const { order = (now) => now[of] } = COLUMNS.find((column) => column.of === of);
  return [...rows].sort((a, b) => {
    const [left, right] = [order(a.now), order(b.now)];
    if (left === right) return a.coin < b.coin ? -1 : 1;
    if (left === null) return 1;
    if (right === null) return -1;
    return left < right ? -sign : sign;
  });
}
