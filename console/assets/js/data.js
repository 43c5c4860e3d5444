// The Data page: topics and their records, as they are, and the tables of the lake.

import { lakeView } from "./data/lake.js";
import { topicsView } from "./data/topics.js";
import { h, nothing } from "./dom.js";
import { connect } from "./live.js";

export function dataPage(main, [where = "topics", name], query) {
  // A tail has a stream of its own, which brings the platform's health, too.
  const disconnect = query.get("follow") ? () => {} : connect({ page: "other" }, {});
  const view = where === "lake" ? lakeView : topicsView;
  const tab = (of, text) => h("a", { href: `#/data/${of}`, "aria-current": of === where ? "true" : undefined }, text);
  const content = h("div", { className: "browse" });
  main.append(
    h("div", { className: "title" }, h("h1", {}, "Data"),
      h("nav", { className: "ranges", "aria-label": "What to browse" }, tab("topics", "Topics"), tab("lake", "Lake"))),
    content);
  let left = false;
  let leave = () => {};
  view(name, query).then(
    (found) => {
      if (found.leave && left) found.leave();
      if (left) return;
      leave = found.leave ?? leave;
      content.replaceChildren(...found.parts);
    },
    (error) => !left && content.replaceChildren(nothing(error.message)),
  );
  return () => {
    left = true;
    leave();
    disconnect();
  };
}
