// The chart as lines: price, means and the volatility band. What is made from CoinGecko's history is lighter.

import * as format from "../format.js";
import { extremes, ink, line, scaleOf, TIMES } from "./plot.js";

/** The place of the prices made from CoinGecko's history among the series. */
const PAST = 6;

export const lines = {
  show: format.price,
  unit: format.CURRENCY,
  foresees: true,
  series: (shown) => [
    TIMES,
    line("Band, high", "--band-line", format.price, 0.8),
    line("Band, low", "--band-line", format.price, 0.8),
    line("Mean, 15 min", "--slow", format.price),
    line("Mean, 5 min", "--quick", format.price),
    { ...line("Price", "--accent", format.price, 1.8), spanGaps: false },
    { ...line("Price, from history", "--past", format.price, 1.8), spanGaps: false, show: hasPast(shown()),
      value: (_, v, _series, index) => (index !== null && shown().columns.backfilled[index] ? format.price(v) : "–") },
  ],
  bands: [{ series: [1, 2], fill: ink("--band") }],
  data: ({ columns }) => {
    const { price, backfilled } = columns;
    const live = price.map((p, i) => (backfilled[i] ? null : p));
    // With the live ticks next to it, so that the two lines meet.
    const past = price.map((p, i) => (backfilled[i - 1] || backfilled[i] || backfilled[i + 1] ? p : null));
    return [columns.time, columns.band_high, columns.band_low, columns.ma_15m, columns.ma_5m, live, past];
  },
  span: ({ columns }) => [columns.time[0], columns.time.at(-1)],
  /** The scale is that of the prices: the band does not flatten them. */
  scale: ({ columns }, from, to) => scaleOf(extremes(columns.time, columns.price, from, to)),
  level: (_shown, price) => price,
  update: (plot, shown) => {
    if (plot.series[PAST].show !== hasPast(shown)) plot.setSeries(PAST, { show: hasPast(shown) });
    plot.root.classList.toggle("no-past", !hasPast(shown));
  },
  paint: () => {},
};

function hasPast({ columns }) {
  return columns.backfilled.includes(true);
}
