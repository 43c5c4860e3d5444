// Lists to choose from, and tables that scroll.

import { h } from "./dom.js";

/** Links of which one is chosen. */
export function choices(label, entries, chosen) {
  return h("nav", { className: "choices", "aria-label": label }, h("ul", {}, entries.map(({ name, href, note }) =>
    h("li", {}, h("a", { href, "aria-current": name === chosen ? "true" : undefined }, name, note ? h("span", { className: "faint" }, note) : null)))));
}

/** A table that scrolls sideways where it is too wide. */
export function table(caption, heads, rows) {
  return h("div", { className: "scroll", tabIndex: 0, role: "region", "aria-label": caption },
    h("table", { className: "plain" }, h("caption", {}, h("span", {}, caption)),
      h("thead", {}, h("tr", {}, heads.map(([text, kind]) => h("th", { scope: "col", className: kind ?? "" }, text)))),
      h("tbody", {}, rows)));
}
