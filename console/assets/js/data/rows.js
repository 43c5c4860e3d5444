// The rows of a file of a table: a page of them, in the file's order or sorted by a column.

import { h, nothing } from "../dom.js";
import * as format from "../format.js";
import { ask } from "../live.js";

const PAGE_LENGTH = 50;
/** A longer cell is cut on the page: pointing at it shows all of it. */
const LONG = 40;

export async function rowsOf(layer, path, query) {
  const skip = Math.max(0, Number(query.get("skip")) || 0);
  const sort = query.get("sort") ?? "";
  const descending = query.get("descending") === "true";
  const go = (to) => {
    const parameters = Object.entries({ path, sort, descending: sort && descending ? "true" : "", skip: "", ...to }).filter(([, value]) => value !== "");
    location.hash = `#/data/lake/${encodeURIComponent(layer)}?${new URLSearchParams(parameters)}`;
  };
  let answer;
  try {
    answer = await ask("api/rows", { layer, path, skip, sort, descending });
  } catch (error) {
    return h("div", {}, h("p", {}, h("code", {}, path)), nothing(error.message));
  }
  const { columns, rows, rows_total } = answer;
  const order = sort === "" ? "in the order of the file" : `by ${sort}, ${descending ? "the greatest first" : "the least first"}`;
  const caption = rows.length === 0 ? `No more rows: there are ${format.count(rows_total)}`
    : `Rows ${format.count(skip + 1)} to ${format.count(skip + rows.length)} of ${format.count(rows_total)}, ${order}`;
  // A column is sorted up, then down, then not at all.
  const sorted = (name) => (name !== sort ? { sort: name, descending: "" } : descending ? { sort: "", descending: "" } : { descending: "true" });
  const head = (name) => h("th", { scope: "col", "aria-sort": name === sort ? (descending ? "descending" : "ascending") : undefined },
    h("button", { type: "button", className: "sort", onclick: () => go(sorted(name)) }, name));
  const step = (text, to, disabled) => h("button", { type: "button", disabled, onclick: () => go({ skip: to > 0 ? String(to) : "" }) }, text);
  return h("div", { className: "rows" }, h("p", {}, h("code", {}, path)),
    h("div", { className: "scroll", tabIndex: 0, role: "region", "aria-label": `Rows of ${path}` },
      h("table", { className: "plain" }, h("caption", {}, h("span", {}, caption)), h("thead", {}, h("tr", {}, columns.map(head))),
        h("tbody", {}, rows.map((row) => h("tr", {}, row.map((cell) => h("td", { className: cell === null ? "faint" : "", title: cell !== null && cell.length > LONG ? cell : undefined }, cell ?? "null"))))))),
    h("p", { className: "filters" },
      step("Rows before", skip - PAGE_LENGTH, skip === 0), step("Rows after", skip + PAGE_LENGTH, skip + rows.length >= rows_total)));
}
