// A metric over the runs: a dot a run, which leads to it.

import { h, svg } from "../dom.js";
import * as format from "../format.js";

const WIDTH = 640;
const HEIGHT = 150;
const LEFT = 84;
const EDGE = 14;

/** The chart, with a choice of the metric. `names` says what a metric is called. */
export function overRuns(runs, names) {
  const known = [...new Set(runs.flatMap((run) => Object.keys(run.metrics)))].sort();
  if (known.length === 0) return null;
  const choice = h("select", { id: "metric" }, known.map((key) => h("option", { value: key }, names(key))));
  choice.value = known.find((key) => key.endsWith("/auc_pr")) ?? known[0];
  const holder = h("div", { className: "over" });
  const show = () => holder.replaceChildren(drawn(runs, choice.value, names(choice.value)));
  choice.addEventListener("change", show);
  show();
  return h("section", {}, h("h2", {}, "A metric over the runs"), h("p", { className: "filters" }, h("label", {}, "Metric", choice)), holder);
}

function drawn(runs, key, name) {
  const points = runs.filter((run) => run.metrics[key] !== undefined).map((run) => ({ run, at: run.started_ms, value: run.metrics[key] })).reverse();
  const values = points.map(({ value }) => value);
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const [first, last] = [points[0].at, points.at(-1).at];
  const x = (at) => LEFT + (last > first ? (at - first) / (last - first) : 0.5) * (WIDTH - LEFT - EDGE);
  const y = (value) => HEIGHT - EDGE - (most > least ? (value - least) / (most - least) : 0.5) * (HEIGHT - 2 * EDGE);
  const drawing = svg("svg", {
    class: "over-runs", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "group",
    "aria-label": `${name} of ${format.counted(points.length, "run")}: ${format.decimal(values.at(-1), 4)} in the newest, ${format.decimal(least, 4)} to ${format.decimal(most, 4)} in all`,
  });
  const label = (value) => svg("text", { x: LEFT - 10, y: y(value) + 4, "text-anchor": "end" }, format.decimal(value, 4));
  drawing.append(label(most));
  if (least < most) drawing.append(label(least));
  drawing.append(svg("path", { class: "line", d: points.map(({ at, value }, i) => `${i === 0 ? "M" : "L"}${x(at).toFixed(1)},${y(value).toFixed(1)}`).join("") }));
  for (const { run, at, value } of points) {
    const text = `${run.name || run.id}, ${format.time(at)}: ${format.decimal(value, 4)}`;
    drawing.append(svg("a", { href: `#/models/${encodeURIComponent(run.id)}`, "aria-label": text },
      svg("circle", { cx: x(at).toFixed(1), cy: y(value).toFixed(1), r: 5 }), svg("title", {}, text)));
  }
  return drawing;
}
