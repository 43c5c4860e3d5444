// Two runs side by side: what was measured, and the parameters in which they differ.

import { h } from "../dom.js";
import * as format from "../format.js";
import { table } from "../table.js";

/** `key` are the metrics of a model that are shown at once, the others unfold. `names` says what a metric is called. */
export function beside(one, other, key, names) {
  const title = (run) => run.name || run.id;
  const heads = (what) => [[what], [title(one), "number"], [title(other), "number"]];
  const row = (metric) => {
    const [a, b] = [one.metrics[metric], other.metrics[metric]];
    const difference = a === undefined || b === undefined ? "–" : (b > a ? "+" : "") + figure(b - a);
    return h("tr", { "data-of": metric }, h("th", { scope: "row" }, names(metric)),
      ...[a, b].map((value) => h("td", { className: "number" }, figure(value))), h("td", { className: "number" }, difference));
  };
  const all = keysOf(one.metrics, other.metrics);
  const isKey = (metric) => key.includes(metric.split("/").slice(1).join("/"));
  const metrics = (caption, some) => table(caption, [...heads("Metric"), ["Difference", "number"]], some.map(row));
  const others = all.filter((metric) => !isKey(metric));
  const differing = keysOf(one.params, other.params).filter((name) => one.params[name] !== other.params[name]);
  const parameters = differing.map((name) => h("tr", { "data-of": name }, h("th", { scope: "row" }, name),
    ...[one, other].map((run) => h("td", { className: "breaks" }, run.params[name] ?? "–"))));
  return h("section", { className: "beside-runs" },
    metrics("Measured, each on days that it was not trained on", all.filter(isKey)),
    others.length > 0 ? h("details", {}, h("summary", {}, `More metrics (${others.length})`), metrics("More metrics", others)) : null,
    parameters.length > 0 ? table("Parameters in which they differ", [["Parameter"], [title(one)], [title(other)]], parameters) : h("p", { className: "faint" }, "Their parameters are the same."));
}

/** Counts are whole, everything else has four decimals. */
function figure(value) {
  return value !== undefined && Number.isInteger(value) && Math.abs(value) >= 10 ? format.count(value) : format.decimal(value, 4);
}

function keysOf(one, other) {
  return [...new Set([...Object.keys(one), ...Object.keys(other)])].sort();
}
