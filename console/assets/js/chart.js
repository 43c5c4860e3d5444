// A coin's chart, drawn by uPlot: price, means, volatility band and alerts.

import { colour } from "./dom.js";
import * as format from "./format.js";

const { uPlot } = globalThis;

const MARK_SIZE = 5;
const COLOURS = { critical: "--critical", warning: "--warning", info: "--muted" };

/** Draws `columns` into `holder`, and a mark for each alert that `marks()` returns. */
export function makeChart(holder, columns, marks, onHover) {
  const ink = (name) => () => colour(name);
  const line = (label, stroke, width = 1.2) => ({
    label, stroke: ink(stroke), width, points: { show: false }, value: (_, v) => format.price(v), spanGaps: true,
  });
  const axis = {
    stroke: ink("--muted"), grid: { stroke: ink("--line"), width: 1 }, ticks: { stroke: ink("--line"), width: 1 },
    font: "12px system-ui, sans-serif",
  };
  const chart = new uPlot({
    width: holder.clientWidth || 300,
    height: height(holder),
    ms: 1,
    tzDate: (ms) => uPlot.tzDate(new Date(ms), "Etc/UTC"),
    padding: [12, 12, 0, 0],
    cursor: { drag: { x: true, y: false }, points: { size: 7 } },
    scales: { x: { time: true } },
    axes: [{ ...axis, values: (_, splits, _axis, _space, step) => moments(splits, step) }, { ...axis, size: 78, values: (_, splits) => splits.map(format.price) }],
    series: [
      { label: "Time", value: (_, v) => (v === null ? "–" : format.time(v)) },
      { ...line("Band, high", "--band-line", 0.8) },
      { ...line("Band, low", "--band-line", 0.8) },
      { ...line("Mean, 15 min", "--slow") },
      { ...line("Mean, 5 min", "--quick") },
      { ...line("Price", "--accent", 1.8) },
    ],
    bands: [{ series: [1, 2], fill: ink("--band") }],
    hooks: {
      draw: [(plot) => drawMarks(plot, marks())],
      setCursor: [(plot) => onHover(plot.cursor.idx)],
    },
  }, data(columns), holder);
  const resized = new ResizeObserver(() => {
    chart.setSize({ width: holder.clientWidth, height: height(holder) });
  });
  resized.observe(holder);
  return {
    show: (shown) => chart.setData(data(shown)),
    redraw: () => chart.redraw(false),
    /** Moves the cursor by this many points; for keyboards. */
    step: (by) => {
      const times = chart.data[0];
      const at = Math.max(0, Math.min(times.length - 1, (chart.cursor.idx ?? times.length - 1) + by));
      if (times.length > 0) {
        chart.setCursor({ left: chart.valToPos(times[at], "x"), top: chart.valToPos(chart.data[5][at], "y") });
      }
    },
    destroy: () => {
      resized.disconnect();
      chart.destroy();
    },
  };
}

/** Labels of the time axis, with the date where a day begins. */
function moments(splits, step) {
  let before = "";
  return splits.map((ms) => {
    const [day, time] = format.time(ms).split(" ");
    const fresh = day !== before;
    before = day;
    if (step >= 86_400_000) return day.slice(5);
    return (step < 60_000 ? time : time.slice(0, 5)) + (fresh ? `\n${day.slice(5)}` : "");
  });
}

function height(holder) {
  return Math.max(240, Math.min(440, Math.round(holder.clientWidth * 0.5)));
}

function data(columns) {
  return [columns.time, columns.band_high, columns.band_low, columns.ma_15m, columns.ma_5m, columns.price];
}

/** A triangle above every alert. */
function drawMarks(plot, marks) {
  const { ctx, bbox } = plot;
  const scale = devicePixelRatio || 1;
  const size = MARK_SIZE * scale;
  const ink = Object.fromEntries(Object.entries(COLOURS).map(([severity, name]) => [severity, colour(name)]));
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  for (const { event_time, price, severity } of marks) {
    const x = plot.valToPos(event_time, "x", true);
    const y = plot.valToPos(price, "y", true) - 4 * scale;
    ctx.fillStyle = ink[severity] ?? ink.info;
    ctx.beginPath();
    ctx.moveTo(x, y);
    ctx.lineTo(x - size, y - size * 1.7);
    ctx.lineTo(x + size, y - size * 1.7);
    ctx.fill();
  }
  ctx.restore();
}
