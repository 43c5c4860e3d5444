// A small line over time, for tables: gaps stay gaps.

import { svg } from "./dom.js";

const WIDTH = 160;
const HEIGHT = 30;

/** The line of values at times; null is a gap. `label` says it in words. */
export function smallLine(times, values, label) {
  const drawing = svg("svg", { class: "small-line", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": label });
  const known = values.filter((value) => value !== null);
  if (known.length === 0) return drawing;
  const [first, last] = [times[0], times.at(-1)];
  const most = Math.max(...known, 0);
  const least = Math.min(...known, 0);
  const x = (time) => last > first ? (time - first) / (last - first) * WIDTH : WIDTH;
  const y = (value) => most > least ? HEIGHT - 2 - (value - least) / (most - least) * (HEIGHT - 4) : HEIGHT - 2;
  let path = "";
  let pen = "M";
  values.forEach((value, i) => {
    if (value === null) {
      pen = "M";
      return;
    }
    path += `${pen}${x(times[i]).toFixed(1)},${y(value).toFixed(1)}`;
    pen = "L";
  });
  drawing.append(svg("path", { d: path, class: "line" }));
  return drawing;
}
