// The Data page: topics and their records, layers of the lake and their rows, as they are.

import { h, nothing } from "./dom.js";
import * as format from "./format.js";
import { ask, connect } from "./live.js";

const PAGE_LENGTH = 50;

export function dataPage(main, [where = "topics", name], query) {
  const disconnect = connect({ page: "other" }, {});
  const view = where === "lake" ? lakeView : topicsView;
  const tab = (of, text) => h("a", { href: `#/data/${of}`, "aria-current": of === where ? "true" : undefined }, text);
  const content = h("div", { className: "browse" });
  main.append(
    h("div", { className: "title" }, h("h1", {}, "Data"),
      h("nav", { className: "ranges", "aria-label": "What to browse" }, tab("topics", "Topics"), tab("lake", "Lake"))),
    content);
  let left = false;
  view(name, query).then(
    (parts) => !left && content.replaceChildren(...parts),
    (error) => !left && content.replaceChildren(nothing(error.message)),
  );
  return () => {
    left = true;
    disconnect();
  };
}

function choices(label, entries, chosen) {
  return h("nav", { className: "choices", "aria-label": label }, h("ul", {}, entries.map(({ name, href, note }) =>
    h("li", {}, h("a", { href, "aria-current": name === chosen ? "true" : undefined }, name, note ? h("span", { className: "faint" }, note) : null)))));
}

/** A table that scrolls sideways where it is too wide. */
function table(caption, heads, rows) {
  return h("div", { className: "scroll", tabIndex: 0, role: "region", "aria-label": caption },
    h("table", { className: "plain" }, h("caption", {}, caption),
      h("thead", {}, h("tr", {}, heads.map(([text, kind]) => h("th", { scope: "col", className: kind ?? "" }, text)))),
      h("tbody", {}, rows)));
}

async function topicsView(name, query) {
  const topics = await ask("/api/topics");
  const records = (topic) => topic.partitions.reduce((sum, p) => sum + p.end - p.start, 0);
  const list = choices("Topics", topics.map((topic) => (
    { name: topic.name, href: `#/data/topics/${encodeURIComponent(topic.name)}`, note: format.count(records(topic)) })), name);
  const topic = topics.find((t) => t.name === name);
  if (!name) return [list, nothing("Choose a topic.")];
  if (!topic) return [list, nothing(`There is no topic ${name}.`)];
  return [list, await recordsOf(topic, query)];
}

async function recordsOf(topic, query) {
  const asked = { topic: topic.name };
  for (const key of ["partition", "from", "key"]) if (query.get(key)) asked[key] = query.get(key);
  const page = h("section", {}, h("h2", {}, topic.name));
  const go = (parameters) => {
    const text = new URLSearchParams(Object.entries(parameters).filter(([, value]) => value !== "")).toString();
    const hash = `#/data/topics/${encodeURIComponent(topic.name)}${text ? "?" + text : ""}`;
    // The same address again: reload, for newer records.
    if (location.hash === hash) dispatchEvent(new HashChangeEvent("hashchange"));
    else location.hash = hash;
  };
  const several = topic.partitions.length > 1;
  const partition = h("select", {}, several ? h("option", { value: "" }, "all") : null, topic.partitions.map(({ number }) =>
    h("option", { value: several ? String(number) : "" }, String(number))));
  partition.value = asked.partition ?? (several && asked.from ? "0" : "");
  const from = h("input", { type: "number", min: 0, value: asked.from ?? "", placeholder: "newest" });
  const key = h("input", { type: "search", value: asked.key ?? "", placeholder: "any" });
  page.append(h("form", {
    className: "filters", onsubmit: (event) => {
      event.preventDefault();
      // An offset needs a partition; a key may be in any.
      const one = partition.value || (from.value && !key.value && several ? "0" : "");
      go({ partition: one, from: key.value ? "" : from.value, key: key.value });
    },
  }, h("label", {}, "Partition", partition), h("label", {}, "From offset", from), h("label", {}, "Key", key),
  h("button", { type: "submit" }, "Show")));
  let answer;
  try {
    answer = await ask("/api/records", asked);
  } catch (error) {
    page.append(nothing(error.message));
    return page;
  }
  const { looked_at, records } = answer;
  page.append(h("p", { className: "summary" }, looked_at.map(({ number, start, end, from: oldest }) => {
    const held = start === end ? "is empty" : `holds offsets ${start} to ${end - 1}`;
    const searched = asked.key && oldest > start ? `, searched for the key back to offset ${oldest}` : "";
    return `Partition ${number} ${held}${searched}`;
  }).join("; ")));
  if (records.length === 0) {
    page.append(nothing("No records found."));
    return page;
  }
  if (!asked.key && looked_at.length === 1) {
    const [{ start, end }] = looked_at;
    const first = records[0].offset;
    const older = h("button", { type: "button", disabled: first <= start, onclick: () => go({ ...asked, topic: "", from: String(Math.max(start, first - PAGE_LENGTH)) }) }, "Older");
    const newer = h("button", { type: "button", disabled: first + PAGE_LENGTH >= end, onclick: () => go({ ...asked, topic: "", from: String(first + PAGE_LENGTH) }) }, "Newer");
    const newest = h("button", { type: "button", onclick: () => go({ partition: asked.partition ?? "" }) }, "Newest");
    page.append(h("p", { className: "filters" }, older, newer, newest));
  }
  page.append(table(`Records of ${topic.name}, newest first`, [...(several ? [["Partition", "number"]] : []), ["Offset", "number"], ["Time"], ["Key"], ["Value"]],
    [...records].reverse().map((record) => h("tr", {},
      several ? h("td", { className: "number" }, String(record.partition)) : null,
      h("td", { className: "number" }, String(record.offset)),
      h("td", { className: "nowrap" }, record.timestamp_ms < 0 ? "–" : format.time(record.timestamp_ms)),
      h("td", { className: "nowrap" }, record.key ?? "–"),
      h("td", {}, valueOf(record))))));
  return page;
}

/** A value on one line, which opens to show all of it. */
function valueOf(record) {
  const cut = record.bytes > new TextEncoder().encode(record.value).length ? `\n… ${format.bytes(record.bytes)} in total` : "";
  let pretty = record.value;
  try {
    if (!cut) pretty = JSON.stringify(JSON.parse(record.value), null, 2);
  } catch {
    // Not JSON: show it as it is.
  }
  const details = h("details", {}, h("summary", {}, h("code", {}, record.value.slice(0, 160))));
  details.addEventListener("toggle", () => {
    if (details.open && details.childElementCount === 1) details.append(h("pre", {}, pretty + cut));
  });
  return details;
}

async function lakeView(name, query) {
  const layers = await ask("/api/layers");
  const list = choices("Layers", layers.map((layer) => ({ name: layer, href: `#/data/lake/${encodeURIComponent(layer)}` })), name);
  if (!name) return [list, nothing("Choose a layer.")];
  const layer = await ask("/api/layer", { layer: name });
  const page = h("section", {}, h("h2", {}, `lake/${name}`),
    h("p", { className: "summary" }, `${format.counted(layer.files_total, "file")}, ${format.bytes(layer.bytes_total)}`));
  const path = query.get("path");
  if (path) page.append(await rowsOf(name, path));
  if (layer.columns.length > 0) {
    page.append(h("details", {}, h("summary", {}, `Columns (${layer.columns.length})`),
      table("Columns", [["Name"], ["Type"], ["Nullable"]], layer.columns.map((column) => h("tr", {},
        h("th", { scope: "row" }, column.name), h("td", {}, column.type), h("td", {}, column.nullable ? "yes" : "no"))))));
  }
  if (layer.files.length === 0) page.append(nothing("No files yet: a stage commits its first rows within a minute."));
  else {
    const caption = layer.files.length < layer.files_total ? `The newest ${layer.files.length} files` : "Files, newest first";
    page.append(table(caption, [["Date"], ["Input"], ["First offset", "number"], ["Size", "number"], ["Written"]],
      layer.files.map((file) => h("tr", {},
        h("td", { className: "nowrap" }, h("a", { href: `#/data/lake/${encodeURIComponent(name)}?path=${encodeURIComponent(file.path)}` }, file.date ?? file.path)),
        h("td", {}, `${file.topic}/${file.partition}`),
        h("td", { className: "number" }, String(file.first_offset)),
        h("td", { className: "number" }, format.bytes(file.bytes)),
        h("td", { className: "nowrap" }, format.time(file.modified_ms))))));
  }
  return [list, page];
}

async function rowsOf(layer, path) {
  const { columns, rows, rows_total } = await ask("/api/rows", { layer, path });
  return h("div", {}, h("p", {}, h("code", {}, path)),
    table(`The first ${rows.length} of ${format.count(rows_total)} rows`, columns.map((name) => [name]),
      rows.map((row) => h("tr", {}, row.map((cell) => h("td", { className: cell === null ? "faint" : "" }, cell ?? "null"))))));
}
