// What all plots of a chart have in common.

import { colour } from "../dom.js";
import * as format from "../format.js";

export const { uPlot } = globalThis;

/** Room above and below what is drawn, as a part of its range, and of a value that stands still. */
const ROOM = 0.12;
const ROOM_MIN = 1e-4;

/** A colour of the theme, as uPlot asks for it. */
export const ink = (name) => () => colour(name);

/** A series drawn as a line. */
export function line(label, stroke, show, width = 1.2) {
  return { label, stroke: ink(stroke), width, points: { show: false }, value: (_, v) => show(v), spanGaps: true };
}

/** The series of the times, which every plot begins with. */
export const TIMES = { label: "Time", value: (_, v) => (v === null ? "–" : format.time(v)) };

const AXIS = {
  stroke: ink("--muted"), grid: { stroke: ink("--line"), width: 1 }, ticks: { stroke: ink("--line"), width: 1 },
  font: "12px system-ui, sans-serif",
};

/** Times are UTC; plots below the first one have the lines only. */
export function timeAxis(isLabelled) {
  if (!isLabelled) return { ...AXIS, size: 6, values: (_, splits) => splits.map(() => "") };
  return { ...AXIS, values: (_, splits, _axis, _space, step) => moments(splits, step) };
}

/** As wide in every plot, so that one time is at one place in all of them. */
export function valueAxis(show, more = {}) {
  return { ...AXIS, size: 78, values: (_, splits) => splits.map(show), ...more };
}

/** Writes above the axis of values what they are in. */
export function drawUnit({ ctx, bbox }, unit) {
  const scale = devicePixelRatio || 1;
  ctx.save();
  ctx.font = `${11 * scale}px system-ui, sans-serif`;
  ctx.fillStyle = colour("--muted");
  ctx.textAlign = "right";
  ctx.textBaseline = "bottom";
  ctx.fillText(unit, bbox.left - 8 * scale, bbox.top - 8 * scale);
  ctx.restore();
}

/** What makes a plot's times milliseconds and UTC. */
export const IN_UTC = { ms: 1, tzDate: (ms) => uPlot.tzDate(new Date(ms), "Etc/UTC") };

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

/** The first of ascending `times` that is not before `time`. */
export function placeOf(times, time) {
  let [low, high] = [0, times.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle] < time) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The least and the greatest of `values` whose times are within from..to; null where there is none. */
export function extremes(times, values, from, to) {
  let [low, high] = [Infinity, -Infinity];
  for (let i = placeOf(times, from); i < times.length && times[i] <= to; i += 1) {
    const value = values[i];
    if (value === null || value === undefined) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return low > high ? null : [low, high];
}

/** A scale that holds all of these extremes, with some room. */
export function scaleOf(...found) {
  const all = found.filter((pair) => pair !== null);
  if (all.length === 0) return [0, 1];
  const low = Math.min(...all.map(([least]) => least));
  const high = Math.max(...all.map(([, greatest]) => greatest));
  const room = Math.max((high - low) * ROOM, Math.abs(high) * ROOM_MIN, Number.MIN_VALUE);
  return [low - room, high + room];
}
