// Small bars: how many episodes began when, the worst severities at the bottom.

import { h, svg } from "../dom.js";
import * as format from "../format.js";

const HEIGHT = 44;
const WIDTH = 10;
export const SEVERITIES = ["critical", "warning", "info"];

/** `chosen` is called with the begin and the end of the step that a reader clicks. */
export function barChart(counts, chosen) {
  const steps = counts.info.length;
  const totals = counts.info.map((_, i) => SEVERITIES.reduce((sum, severity) => sum + counts[severity][i], 0));
  const most = Math.max(1, ...totals);
  const all = totals.reduce((sum, n) => sum + n, 0);
  const begin = counts.begin_ms;
  const end = begin + steps * counts.step_ms;
  const drawing = svg("svg", {
    class: "bars", viewBox: `0 0 ${steps * WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img",
    "aria-label": `Episodes over time, ${format.time(begin)} to ${format.time(end)}: ${format.count(all)} in all, at most ${most} in ${format.seconds(counts.step_ms / 1000)}`,
  });
  for (let i = 0; i < steps; i += 1) {
    let y = HEIGHT;
    const from = begin + i * counts.step_ms;
    const group = svg("g", { "data-count": totals[i] });
    const title = svg("title", {}, `${format.time(from)}: ${SEVERITIES.map((severity) => [counts[severity][i], severity]).filter(([n]) => n > 0).map(([n, severity]) => `${n} ${severity}`).join(", ") || "none"}`);
    group.append(title, svg("rect", { x: i * WIDTH, y: 0, width: WIDTH, height: HEIGHT, class: "step" }));
    for (const severity of SEVERITIES) {
      const n = counts[severity][i];
      if (n === 0) continue;
      const height = Math.max(2, n / most * (HEIGHT - 2));
      y -= height;
      group.append(svg("rect", { x: i * WIDTH + 1, y, width: WIDTH - 2, height, class: `bar-${severity}` }));
    }
    if (totals[i] > 0) {
      group.setAttribute("class", "full");
      group.addEventListener("click", () => chosen(from, from + counts.step_ms));
    }
    drawing.append(group);
  }
  return h("figure", { className: "counts" }, drawing,
    h("figcaption", { className: "faint" }, h("span", {}, format.time(begin).slice(0, 16)),
      h("span", {}, `Episodes begun${counts.step_ms >= 1000 ? ` per ${format.seconds(counts.step_ms / 1000)}` : ""}: `,
        SEVERITIES.flatMap((severity) => [h("span", { className: `swatch ${severity}`, "aria-hidden": "true" }), severity, " "])),
      h("span", {}, format.time(end).slice(0, 16))));
}
