// The panes below the price: volume, z-score and predictions at the same times.

import { h, setText } from "../dom.js";
import * as format from "../format.js";
import { extremes, line, scaleOf, valueAxis } from "./plot.js";

/** z-scores beyond these are alarming, and the pane always reaches them. */
const ALARMING = [-3, 3];

const zscore = (v) => format.decimal(v, 1);
const zscores = (_plot, _axis, low, high) => (high - low < 18 ? [-3, 0, 3] : [Math.ceil(low), 0, Math.floor(high)]);

/** `of` are columns of the ticks, each with its name in the pane and its colour. */
export const PANES = [
  { of: [["volume_24h", format.inMoney("24 h volume"), "--accent"]], show: format.count, labels: format.countsApart, scale: scaleOf },
  { of: [["zscore_15m", "z-score", "--slow"]], show: zscore, splits: zscores, scale: (found) => scaleOf(found, ALARMING) },
  { of: [["anomaly_probability", "Anomaly ahead", "--critical"], ["trend_up_probability", "Trend up", "--up"]], show: format.probability,
    splits: () => [0, 0.5, 1], scale: () => [0, 1] },
];

/** The names of a pane's lines, each with its value at the cursor. */
export function paneTitle({ of, show }) {
  const values = of.map(() => h("data"));
  const title = h("p", { className: "pane-title" }, of.map(([column, name, ink], i) =>
    h("span", { "data-of": column }, h("span", { className: `swatch ${ink.slice(2)}`, "aria-hidden": "true" }), `${name} `, values[i])));
  const write = (columns, index) => of.forEach(([column], i) => {
    const value = columns[column][index] ?? null;
    setText(values[i], show(value));
    values[i].value = value === null ? "" : String(value);
  });
  return { title, write };
}

export function paneSeries({ of, show }) {
  return of.map(([, name, ink]) => line(name, ink, show));
}

export function paneScale({ of, scale }, columns, from, to) {
  return scale(...of.map(([column]) => extremes(columns.time, columns[column], from, to)));
}

export function paneData({ of }, columns) {
  return [columns.time, ...of.map(([column]) => columns[column])];
}

export function paneAxis({ show, splits, labels }) {
  const written = labels ? { values: (_, values) => labels(values) } : {};
  return valueAxis(show, { ...written, ...(splits ? { splits } : { space: 26 }) });
}

/** Whether there is anything to show. */
export function hasPane({ of }, columns) {
  return of.some(([column]) => columns[column].some((value) => value !== null));
}
