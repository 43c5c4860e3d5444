// A topic's records as they come, with a pause.

import { h, setText } from "../dom.js";
import * as format from "../format.js";
import { connect } from "../live.js";
import { recordTable, rowOf } from "./records.js";

const SHOWN_MAX = 200;

/** The live tail of a topic; `leave` ends it. */
export function tailOf(topic, query) {
  const several = topic.partitions.length > 1;
  const wanted = {};
  for (const name of ["partition", "key", "text"]) if (query.get(name)) wanted[name] = query.get(name);
  let disconnect = () => {};
  let isPaused = false;
  let skipped = 0;

  const about = h("p", { className: "summary", "aria-live": "off" });
  const holder = recordTable(`Records of ${topic.name} as they come, newest first`, several, []);
  const body = holder.querySelector("tbody");
  const pause = h("button", { type: "button", id: "pause", "aria-pressed": "false", onclick: () => (isPaused ? follow() : rest()) }, "Pause");
  const back = `#/data/topics/${encodeURIComponent(topic.name)}${Object.keys(wanted).length > 0 ? "?" + new URLSearchParams(wanted) : ""}`;
  const element = h("div", {}, h("p", { className: "filters" }, pause,
    h("a", { className: "button", href: back }, "Stop following"),
    h("button", { type: "button", onclick: () => body.replaceChildren() }, "Clear")), about, holder);

  function tell() {
    const which = Object.entries(wanted).map(([name, value]) => `${name} ${value}`).join(", ");
    const more = skipped > 0 ? `; ${format.counted(skipped, "record")} came too fast to be shown` : "";
    setText(about, `${isPaused ? "Paused" : "Following"}${which ? `: ${which}` : ""}${body.rows.length === 0 ? "; nothing yet" : ""}${more}`);
  }

  const seen = new Set();
  function take(batch) {
    skipped += batch.skipped;
    const fresh = batch.records.filter(({ partition, offset }) => !seen.has(`${partition}/${offset}`));
    for (const record of fresh) {
      seen.add(`${record.partition}/${record.offset}`);
      body.prepend(rowOf(record, several));
    }
    while (body.rows.length > SHOWN_MAX) body.lastElementChild.remove();
    // A stream that begins anew repeats the newest only.
    if (seen.size > 10 * SHOWN_MAX) for (const key of [...seen].slice(0, -SHOWN_MAX * 5)) seen.delete(key);
    tell();
  }

  function follow() {
    isPaused = false;
    disconnect();
    disconnect = connect({ page: "tail", topic: topic.name, ...wanted }, { records: take });
    show();
  }

  function rest() {
    isPaused = true;
    disconnect();
    disconnect = connect({ page: "other" }, {});
    show();
  }

  function show() {
    setText(pause, isPaused ? "Go on" : "Pause");
    pause.setAttribute("aria-pressed", String(isPaused));
    tell();
  }

  follow();
  return { element, leave: () => disconnect() };
}
