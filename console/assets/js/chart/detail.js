// A chart of many ticks is drawn from fewer. Here are all of them, for the part that a reader looks into and for files.

import { ask } from "../live.js";
import { placeOf } from "./plot.js";

/** Every tick of a coin within from..to: in halves where an answer has fewer. */
export async function wholeOf(coin, from, to) {
  const { points, ticks } = await ask("api/history", { coin, from, until: to });
  if (points.time.length === ticks) return points;
  const middle = Math.floor((from + to) / 2);
  const first = await wholeOf(coin, from, middle);
  const second = await wholeOf(coin, middle + 1, to);
  return Object.fromEntries(Object.keys(first).map((column) => [column, first[column].concat(second[column])]));
}

/** Puts the ticks of `detail` in the place of those that `columns` has from `from` to the last of them. */
export function sharpen(columns, detail, from) {
  if (detail.time.length === 0) return;
  const [begin, end] = [placeOf(columns.time, from), placeOf(columns.time, detail.time.at(-1) + 1)];
  for (const column of Object.keys(columns)) columns[column] = columns[column].slice(0, begin).concat(detail[column], columns[column].slice(end));
}
