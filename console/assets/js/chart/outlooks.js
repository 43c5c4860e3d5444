// Predictions on the price line: where an anomaly is foreseen, and where the trend that is foreseen turns.

import { colour } from "../dom.js";
import { clipped } from "./marks.js";
import { placeOf } from "./plot.js";

/** As far as the models look ahead: what comes again within it is the same, and what does not last it is no turn. */
const AHEAD_MS = 15 * 60_000;
const EVEN = 0.5;
const SIZE = 4.5;
/** Marks of one kind that are nearer are drawn as one. */
const APART = 14;
const COLOURS = { anomaly: "--critical", up: "--up", down: "--down" };

/** Where the probability of an anomaly comes to `threshold`, and where the trend turns for good. All ticks within from..to are there. */
export function foreseen({ time, price, anomaly_probability: anomaly, trend_up_probability: trend }, threshold, from, to) {
  const found = [];
  const note = (i, what) => found.push({ time: time[i], price: price[i], what });
  let alarmed = -Infinity;
  let side = null;
  let turn = null;
  for (let i = placeOf(time, from); i < time.length && time[i] <= to; i += 1) {
    const at = time[i];
    if (threshold !== null && anomaly[i] !== null && anomaly[i] >= threshold) {
      if (at - alarmed > AHEAD_MS) note(i, "anomaly");
      alarmed = at;
    }
    if (trend[i] === null) continue;
    const now = trend[i] >= EVEN ? "up" : "down";
    if (now === side) turn = null;
    else if (turn === null) turn = i;
    else if (at - time[turn] >= AHEAD_MS) {
      if (side !== null) note(turn, now);
      side = now;
      turn = null;
    }
  }
  return found;
}

/** Draws what is foreseen: a diamond on the line, or an arrow below it. `level` says where on the scale a price is. */
export function drawForeseen(plot, found, level) {
  const { ctx } = plot;
  const scale = devicePixelRatio || 1;
  const size = SIZE * scale;
  const last = {};
  clipped(plot, () => {
    ctx.lineWidth = 1.8 * scale;
    ctx.lineJoin = "round";
    ctx.fillStyle = colour("--surface");
    for (const { time, price, what } of found) {
      const x = plot.valToPos(time, "x", true);
      const y = plot.valToPos(level(price), "y", true);
      const kind = what === "anomaly" ? what : "turn";
      if (x - (last[kind] ?? -Infinity) < APART * scale) continue;
      last[kind] = x;
      ctx.strokeStyle = colour(COLOURS[what]);
      ctx.beginPath();
      if (what === "anomaly") {
        for (const [dx, dy] of [[0, -1], [1, 0], [0, 1], [-1, 0]]) ctx.lineTo(x + dx * size, y + dy * size);
        ctx.closePath();
        ctx.fill();
      } else {
        const [tip, foot] = what === "up" ? [0, 1] : [1, 0];
        for (const [dx, at] of [[-1, foot], [0, tip], [1, foot]]) ctx.lineTo(x + dx * size, y + (2 + at) * size);
      }
      ctx.stroke();
    }
  });
}
