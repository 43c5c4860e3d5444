// The chart of two coins: how far each has come since the first price shown.

import * as format from "../format.js";
import { extremes, line, scaleOf, TIMES, uPlot } from "./plot.js";

/** The changes of prices since the first of them. */
export function changesOf({ price }) {
  return price.map((p) => p / price[0] - 1);
}

/** Two coins seldom tick at the same time: between its ticks a coin is where the last one left it. */
function lasting(coin, stroke) {
  return { ...line(coin, stroke, format.change, 1.8), value: (plot, v, series, at) => format.change(v ?? lastOf(plot.data[series], at)) };
}

function lastOf(values, at) {
  return at === null || at === undefined ? null : values.slice(0, at + 1).findLast((value) => value !== null && value !== undefined);
}

/** Of two coins, whose ids are the series' names. */
export const comparison = (coin, other) => ({
  show: format.change,
  unit: "",
  foresees: false,
  series: () => [TIMES, lasting(coin, "--accent"), lasting(other, "--quick")],
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
