// A topic's records as they come, with a pause; what is passed over meanwhile is said, with a way there.

import { h, setText } from "../dom.js";
import * as format from "../format.js";
import { connect } from "../live.js";
import { addressOf, recordTable, rowOf } from "./records.js";

const SHOWN_MAX = 200;

/** The live tail of a topic; `leave` ends it. */
export function tailOf(topic, query) {
  const several = topic.partitions.length > 1;
  const wanted = {};
  for (const name of ["partition", "key", "text"]) if (query.get(name)) wanted[name] = query.get(name);
  let disconnect = () => {};
  let isPaused = false;
  /** By partition, the next offset: a stream that begins anew, after a pause too, goes on there. */
  let next = {};
  /** Records that were not shown, by partition and reason. */
  const passed = new Map();

  const about = h("p", { className: "summary", "aria-live": "off" });
  const missing = h("ul", { className: "passed", "aria-label": "Records that are not shown" });
  const holder = recordTable(`Records of ${topic.name} as they come, newest first`, several, []);
  const body = holder.querySelector("tbody");
  const pause = h("button", { type: "button", id: "pause", "aria-pressed": "false", onclick: () => (isPaused ? follow() : rest()) }, "Pause");
  const element = h("div", {}, h("p", { className: "filters" }, pause,
    h("a", { className: "button", href: addressOf(topic, wanted) }, "Stop following"),
    h("button", { type: "button", onclick: clear }, "Clear")), about, missing, holder);

  function tell() {
    const which = Object.entries(wanted).map(([name, value]) => `${name} ${value}`).join(", ");
    setText(about, `${isPaused ? "Paused" : "Following"}${which ? `: ${which}` : ""}${body.rows.length === 0 ? "; nothing yet" : ""}`);
  }

  function take(batch) {
    next = batch.next;
    body.prepend(...batch.records.map((record) => rowOf(record, several)).reverse());
    while (body.rows.length > SHOWN_MAX) body.lastElementChild.remove();
    batch.passed.forEach(pass);
    tell();
  }

  /** Says what is not shown, and leads there. */
  function pass({ partition, from, count, wanted: isWanted }) {
    const key = `${partition} ${isWanted}`;
    if (!passed.has(key)) {
      const text = h("span");
      missing.append(h("li", {}, text,
        h("a", { href: addressOf(topic, { ...wanted, partition: several ? partition : undefined, from }) }, `show from offset ${from}`)));
      passed.set(key, { text, count: 0 });
    }
    const one = passed.get(key);
    one.count += count;
    const isSearch = Boolean(wanted.key || wanted.text);
    const why = isWanted ? "came too fast to be shown" : `passed over${isSearch ? ", whatever their key and text" : ""}`;
    setText(one.text, `${format.counted(one.count, "record")}${several ? ` of partition ${partition}` : ""} ${why}: `);
  }

  function clear() {
    body.replaceChildren();
    passed.clear();
    missing.replaceChildren();
    tell();
  }

  function follow() {
    isPaused = false;
    disconnect();
    const question = () => ({ page: "tail", topic: topic.name, ...wanted, next: Object.entries(next).map((pair) => pair.join(":")).join() });
    disconnect = connect(question, { records: take });
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
