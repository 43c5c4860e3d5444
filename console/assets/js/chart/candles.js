// The chart as candles: from the first to the last price of a stretch, with a line from the lowest to the highest.

import { colour } from "../dom.js";
import * as format from "../format.js";
import { extremes, ink, placeOf, scaleOf, TIMES } from "./plot.js";

const WIDTH_MAX = 14;

const unseen = (label) => ({ label, stroke: ink("--muted"), value: (_, v) => format.price(v), paths: () => null, points: { show: false } });

export const candles = {
  show: format.price,
  unit: format.CURRENCY,
  foresees: true,
  series: () => [TIMES, unseen("Open"), unseen("High"), unseen("Low"), unseen("Close")],
  bands: [],
  data: ({ candles: { time, open, high, low, close } }) => [time, open, high, low, close],
  span: ({ candles: { time, stretch_ms } }) => [time[0], time.at(-1) + stretch_ms],
  scale: ({ candles: { time, low, high, stretch_ms } }, from, to) =>
    scaleOf(extremes(time, low, from - stretch_ms, to), extremes(time, high, from - stretch_ms, to)),
  level: (_shown, price) => price,
  update: () => {},
  paint: (plot, { candles: { time, open, high, low, close, stretch_ms } }) => {
    const { ctx } = plot;
    const scale = devicePixelRatio || 1;
    const [rising, falling] = [colour("--up"), colour("--down")];
    const { min, max } = plot.scales.x;
    for (let i = placeOf(time, min - stretch_ms); i < time.length && time[i] <= max; i += 1) {
      const [left, right] = [plot.valToPos(time[i], "x", true), plot.valToPos(time[i] + stretch_ms, "x", true)];
      const middle = Math.round((left + right) / 2);
      const width = Math.max(1, Math.round(Math.min((right - left) * 0.7, WIDTH_MAX * scale)));
      const [top, bottom] = [Math.max(open[i], close[i]), Math.min(open[i], close[i])].map((v) => plot.valToPos(v, "y", true));
      ctx.fillStyle = close[i] >= open[i] ? rising : falling;
      const wick = plot.valToPos(high[i], "y", true);
      ctx.fillRect(middle - scale / 2, wick, scale, plot.valToPos(low[i], "y", true) - wick);
      ctx.fillRect(middle - width / 2, top, width, Math.max(scale, bottom - top));
    }
  },
};

/** Takes in a tick, which is newer than all before. */
export function push({ time, open, high, low, close, stretch_ms }, at, price) {
  const begin = Math.floor(at / stretch_ms) * stretch_ms;
  const last = time.length - 1;
  if (last >= 0 && time[last] === begin) {
    high[last] = Math.max(high[last], price);
    low[last] = Math.min(low[last], price);
    close[last] = price;
    return;
  }
  time.push(begin);
  for (const column of [open, high, low, close]) column.push(price);
}
