// Alerts on a chart: a triangle above each; the one that the reader followed has a ring, and a line through all plots.

import { colour } from "../dom.js";

const SIZE = 5;
const COLOURS = { critical: "--critical", warning: "--warning", info: "--muted" };

/** Draws the marks of `alerts`; `level` says where on the scale a price is. */
export function drawMarks(plot, alerts, followed, level) {
  const { ctx } = plot;
  const scale = devicePixelRatio || 1;
  const size = SIZE * scale;
  const inks = Object.fromEntries(Object.entries(COLOURS).map(([severity, name]) => [severity, colour(name)]));
  clipped(plot, () => {
    for (const { event_time, price, severity } of alerts) {
      const x = plot.valToPos(event_time, "x", true);
      const y = plot.valToPos(level(price), "y", true) - 4 * scale;
      ctx.fillStyle = ctx.strokeStyle = inks[severity] ?? inks.info;
      ctx.beginPath();
      ctx.moveTo(x, y);
      ctx.lineTo(x - size, y - size * 1.7);
      ctx.lineTo(x + size, y - size * 1.7);
      ctx.fill();
      if (event_time !== followed) continue;
      ctx.lineWidth = 2 * scale;
      ctx.beginPath();
      ctx.arc(x, y - size * 1.1, size * 2.2, 0, 2 * Math.PI);
      ctx.stroke();
    }
  });
}

/** A line at the time of the alert that was followed, if any. */
export function drawFollowed(plot, followed) {
  if (followed === null) return;
  const { ctx, bbox } = plot;
  const scale = devicePixelRatio || 1;
  clipped(plot, () => {
    const x = plot.valToPos(followed, "x", true);
    ctx.strokeStyle = colour("--text");
    ctx.lineWidth = scale;
    ctx.setLineDash([4 * scale, 4 * scale]);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
  });
}

/** Draws within the plot only, and leaves the pen as it was. */
export function clipped({ ctx, bbox }, draw) {
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  draw();
  ctx.restore();
}
