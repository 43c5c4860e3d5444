// The chart of two coins: how far each has come since the first price shown.

import * as format from "../format.js";
import { extremes, line, scaleOf, TIMES, uPlot } from "./plot.js";

/** The changes of prices since the first of them. */
export function changesOf({ price }) {
  return price.map((p) => p / price[0] - 1);
}

/** Of two coins, whose ids are the series' names. */
export const comparison = (coin, other) => ({
  show: format.change,
  unit: "",
  foresees: false,
  series: () => [TIMES, line(coin, "--accent", format.change, 1.8), line(other, "--quick", format.change, 1.8)],
  bands: [],
  data: ({ columns, others }) => uPlot.join([[columns.time, changesOf(columns)], [others.time, changesOf(others)]]),
  span: ({ columns, others }) => {
    const [first, second] = [columns.time, others.time].filter(({ length }) => length > 0);
    return second ? [Math.min(first[0], second[0]), Math.max(first.at(-1), second.at(-1))] : [first[0], first.at(-1)];
  },
  scale: ({ columns, others }, from, to) => scaleOf(
    extremes(columns.time, changesOf(columns), from, to), extremes(others.time, changesOf(others), from, to)),
  level: ({ columns }, price) => price / columns.price[0] - 1,
  update: () => {},
  paint: () => {},
});
