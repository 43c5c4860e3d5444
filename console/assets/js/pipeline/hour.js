// The last hour of the pipeline: the lag of every stage and the rate of every topic.

import { h } from "../dom.js";
import * as format from "../format.js";
import { smallLine } from "../line.js";
import { table } from "../table.js";

/** A section that `take` fills. */
export function hourSection() {
  const about = h("p", { className: "faint" }, "Taken every half minute since the console started; two make a line.");
  const heads = (first, last) => [[first], ["Newest", "number"], ["At most", "number"], [last]];
  const lags = table("Lag: records of a stage's input that are not in the lake yet", heads("Stage", "Lag"), []);
  const rates = table("Records per second", heads("Topic", "Rate"), []);
  for (const one of [lags, rates]) one.classList.add("hour");
  const section = h("section", { hidden: true }, h("h2", {}, "The last hour"), h("div", { className: "beside" }, lags, rates), about);

  function rowsOf(at, by, write) {
    return Object.entries(by).map(([name, values]) => {
      const known = values.filter((value) => value !== null);
      const most = known.length > 0 ? Math.max(...known) : null;
      const now = values.at(-1);
      return h("tr", { "data-of": name, "data-points": known.length },
        h("th", { scope: "row" }, name), h("td", { className: "number" }, write(now)), h("td", { className: "number" }, write(most)),
        h("td", {}, smallLine(at, values, `${name} over the last hour: ${write(now)} now, at most ${write(most)}`)));
    });
  }

  function take(hour) {
    section.hidden = false;
    about.hidden = hour.at_ms.length > 1;
    lags.querySelector("tbody").replaceChildren(...rowsOf(hour.at_ms, hour.lags, format.count));
    rates.querySelector("tbody").replaceChildren(...rowsOf(hour.at_ms, hour.rates, format.rate));
  }
  return { section, take };
}
