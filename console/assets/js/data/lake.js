// The tables of the lake: what they hold, what their columns mean, what was committed, and how to read them elsewhere.

import { copyButton } from "./copy.js";
import { h, nothing } from "../dom.js";
import * as format from "../format.js";
import { ask } from "../live.js";
import { choices, table } from "../table.js";
import { rowsOf } from "./rows.js";

export async function lakeView(name, query) {
  const layers = await ask("api/layers");
  const list = choices("Tables", layers.map((layer) => ({ name: layer, href: `#/data/lake/${encodeURIComponent(layer)}` })), name);
  if (!name) return { parts: [list, h("section", {}, lately(await ask("api/lately")))] };
  const path = query.get("path");
  const [layer, commits, rows] = await Promise.all([
    ask("api/layer", { layer: name }),
    ask("api/commits", { layer: name }),
    path ? rowsOf(name, path, query) : null,
  ]);
  const page = h("section", {}, h("h2", {}, `lake/${name}`),
    h("p", { className: "summary" }, `${format.counted(layer.rows_total, "row")} in ${format.counted(layer.files_total, "file")}, ${format.bytes(layer.bytes_total)}`),
    layer.description ? h("p", {}, layer.description) : null, rows);
  if (layer.columns.length === 0) {
    page.append(nothing("There is no table yet: its stage makes it with the first commit, within a minute of the first row."));
    return { parts: [list, page] };
  }
  page.append(
    h("details", { className: "columns" }, h("summary", {}, `Columns (${layer.columns.length})`), columnsOf(layer)),
    h("details", { className: "snippets" }, h("summary", {}, "Query it with DuckDB, Polars or Spark"), SNIPPETS.map((of) => snippet(of, layer.address))),
    h("details", { className: "commits", open: true }, h("summary", {}, `Commits (the newest ${commits.length})`), commitsOf(commits)),
    filesOf(name, layer));
  return { parts: [list, page] };
}

/** What every table got in the last hour. */
function lately(tables) {
  const heads = [["Table"], ["Rows in the last hour", "number"], ["Commits of these", "number"], ["Newest entry of the log"], ["Rows in all", "number"],
    ["Files", "number"], ["Size", "number"]];
  return table("What the lake got in the last hour of real time, whatever the market's clock says, and what it holds", heads, tables.map((of) => h("tr", { "data-of": of.name },
    h("th", { scope: "row" }, h("a", { href: `#/data/lake/${encodeURIComponent(of.name)}` }, of.name)),
    ...[of.hour_rows, of.hour_commits].map((n) => h("td", { className: "number" }, format.count(n))),
    h("td", { className: "nowrap" }, of.newest_ms === null ? "none yet" : `${format.time(of.newest_ms)}, ${format.ago(Math.round((Date.now() - of.newest_ms) / 1000))}`),
    ...[of.rows, of.files].map((n) => h("td", { className: "number" }, format.count(n))),
    h("td", { className: "number" }, format.bytes(of.bytes)))));
}

function columnsOf(layer) {
  return table("Columns", [["Name"], ["Type"], ["Nullable"], ["Meaning"]], layer.columns.map((column) => h("tr", {},
    h("th", { scope: "row" }, column.name), h("td", {}, column.type), h("td", {}, column.nullable ? "yes" : "no"),
    h("td", {}, column.comment))));
}

function commitsOf(commits) {
  const heads = [["Version", "number"], ["Time"], ["Operation"], ["Rows added", "number"], ["Rows in all", "number"],
    ["Files added", "number"], ["Files removed", "number"], ["Stage"]];
  return table("Commits, newest first; upkeep removes entries older than a day", heads, commits.map((commit) => h("tr", {},
    h("th", { scope: "row", className: "number" }, String(commit.version)),
    h("td", { className: "nowrap" }, format.time(commit.at_ms)),
    h("td", { className: "nowrap" }, commit.operation),
    ...[commit.added_rows, commit.rows, commit.added_files, commit.removed_files].map((n) =>
      h("td", { className: "number" }, n === null ? "–" : format.count(n))),
    h("td", { className: "breaks" }, commit.app ?? "–"))));
}

function filesOf(name, layer) {
  if (layer.files.length === 0) return nothing("The table has no files: no row was committed yet, or all have expired.");
  const caption = layer.files.length < layer.files_total ? `The newest ${layer.files.length} files` : "Files, newest first";
  return table(caption, [["Date"], ["Rows", "number"], ["Size", "number"], ["Written"], ["File"]],
    layer.files.map((file) => h("tr", {},
      h("td", { className: "nowrap" }, h("a", { href: `#/data/lake/${encodeURIComponent(name)}?path=${encodeURIComponent(file.path)}` }, file.date ?? file.path)),
      h("td", { className: "number" }, format.count(file.rows)),
      h("td", { className: "number" }, format.bytes(file.bytes)),
      h("td", { className: "nowrap" }, format.time(file.added_ms)),
      h("td", { className: "nowrap" }, h("code", {}, file.path.split("/").at(-1))))));
}

/** What to type into each program. */
const SNIPPETS = [
  { name: "DuckDB", text: (address) => `INSTALL delta; LOAD delta;\nSELECT * FROM delta_scan('${address.replaceAll("'", "''")}') LIMIT 10;` },
  { name: "Polars", text: (address) => `import polars as pl\n\npl.scan_delta(${python(address)}).head(10).collect()` },
  { name: "Spark", text: (address) => `# PySpark with delta-spark\nspark.read.format("delta").load(${python(address.replace(/^s3:/, "s3a:"))}).show(10)` },
];

function python(text) {
  return JSON.stringify(text);
}

function snippet({ name, text }, address) {
  const code = h("pre", { "data-for": name }, text(address));
  const select = () => {
    getSelection().selectAllChildren(code);
    return "Selected";
  };
  const copy = copyButton("Copy", () => code.textContent, select, `Copy for ${name}`);
  return h("div", { className: "snippet" }, h("p", {}, h("strong", {}, name), copy), code);
}
