// Records of a topic: from an offset or a time on, or the newest; by key and text; to copy and to download.

import { copyButton } from "./copy.js";
import { h, nothing } from "../dom.js";
import * as format from "../format.js";
import { ask } from "../live.js";
import { table } from "../table.js";

const PAGE_LENGTH = 50;
const ASKED = ["partition", "from", "before", "at", "key", "text"];

/** The form, and what it found. */
export async function recordsOf(topic, query) {
  const asked = {};
  for (const name of ASKED) if (query.get(name)) asked[name] = query.get(name);
  const several = topic.partitions.length > 1;
  const parts = [form(topic, asked)];
  let answer;
  try {
    answer = await ask("api/records", { topic: topic.name, ...asked });
  } catch (error) {
    return [...parts, nothing(error.message)];
  }
  const { looked_at, records } = answer;
  const isSearch = Boolean(asked.key || asked.text);
  parts.push(h("p", { className: "summary" }, looked_at.map(({ number, start, end, from, until }) => {
    if (start === end) return `Partition ${number} is empty`;
    const searched = isSearch ? `, searched from ${from} to ${Math.max(from, until - 1)}` : "";
    return `Partition ${number} holds offsets ${start} to ${end - 1}${searched}`;
  }).join("; ")));
  parts.push(h("p", { className: "filters" }, ...steps(topic, asked, looked_at, records)));
  if (records.length === 0) {
    parts.push(nothing(isSearch ? "No such record in what was searched: keys are coin ids, such as bitcoin; upper and lower case count."
      : asked.from || asked.at ? "There is no record from there on: the newest are older." : "The topic is empty here: the Pipeline page shows what flows."));
    return parts;
  }
  parts.push(recordTable(`Records of ${topic.name}, newest first`, several, [...records].reverse().map((record) => rowOf(record, several))));
  return parts;
}

/** The address of the records with these parameters. */
export function addressOf(topic, parameters) {
  const text = new URLSearchParams(Object.entries(parameters).filter(([, value]) => value !== "" && value !== undefined)).toString();
  return `#/data/topics/${encodeURIComponent(topic.name)}${text ? "?" + text : ""}`;
}

/** Goes there; the same address again asks for newer ones. */
function go(topic, parameters) {
  const hash = addressOf(topic, parameters);
  if (location.hash === hash) dispatchEvent(new HashChangeEvent("hashchange"));
  else location.hash = hash;
}

function form(topic, asked) {
  const several = topic.partitions.length > 1;
  const partition = h("select", { id: "record-partition" }, several ? h("option", { value: "" }, "all") : null, topic.partitions.map(({ number }) =>
    h("option", { value: several ? String(number) : "" }, String(number))));
  partition.value = asked.partition ?? (several && asked.from ? "0" : "");
  const from = h("input", { type: "number", id: "record-from", min: 0, value: asked.from ?? "", placeholder: "newest" });
  const at = h("input", { type: "datetime-local", id: "record-at", step: 1, value: asked.at ? format.dateField(Number(asked.at), 19) : "" });
  const key = h("input", { type: "search", id: "record-key", value: asked.key ?? "", placeholder: "any" });
  const text = h("input", { type: "search", id: "record-text", value: asked.text ?? "", placeholder: "any" });
  const chosen = () => ({ partition: partition.value, key: key.value, text: text.value });
  return h("form", {
    className: "filters", onsubmit: (event) => {
      event.preventDefault();
      // An offset needs a partition; a time and a key may be in any.
      const first = from.value && several && partition.value === "" ? "0" : partition.value;
      go(topic, { ...chosen(), partition: first, from: from.value, at: from.value || at.value === "" ? "" : String(Date.parse(`${at.value}Z`)) });
    },
  },
  h("label", {}, "Partition", partition), h("label", {}, "From offset", from), h("label", {}, "From time (UTC)", at),
  h("label", {}, "Key", key), h("label", {}, "Text in the value", text),
  h("button", { type: "submit" }, "Show"),
  h("button", { type: "button", id: "follow", onclick: () => go(topic, { ...chosen(), follow: "1" }) }, "Follow"));
}

/** Buttons to what is older and newer, and to take the records along. */
function steps(topic, asked, looked_at, records) {
  const buttons = [];
  const to = (text, parameters, disabled) => buttons.push(h("button", { type: "button", disabled, onclick: () => go(topic, { partition: asked.partition, key: asked.key, text: asked.text, ...parameters }) }, text));
  if (looked_at.length === 1) {
    const [{ start, end, from, until }] = looked_at;
    if (asked.key || asked.text) {
      to("Search further back", { before: String(from) }, from <= start);
      to("Search further on", { from: String(until) }, until >= end);
    } else {
      to("Older", { from: String(Math.max(start, from - PAGE_LENGTH)) }, from <= start);
      to("Newer", { from: String(from + PAGE_LENGTH) }, from + PAGE_LENGTH >= end);
    }
  }
  to("Newest", {}, false);
  if (records.length > 0) {
    const lines = records.map((record) => JSON.stringify({ ...record, value: parsed(record.value), bytes: undefined })).join("\n") + "\n";
    buttons.push(copyButton("Copy as JSON lines", () => lines));
    buttons.push(h("a", { className: "button", download: "", href: "api/download?" + new URLSearchParams({ topic: topic.name, ...asked }), title: "Up to 10,000 records, a JSON object a line" }, "Download"));
  }
  return buttons;
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** A table of records. */
export function recordTable(caption, several, rows) {
  const found = table(caption, [...(several ? [["Partition", "number"]] : []), ["Offset", "number"], ["Time"], ["Key"], ["Value"]], rows);
  found.classList.add("records");
  return found;
}

/** A record as a row of it. */
export function rowOf(record, several) {
  return h("tr", {},
    several ? h("td", { className: "number" }, String(record.partition)) : null,
    h("td", { className: "number" }, String(record.offset)),
    h("td", { className: "nowrap" }, record.timestamp_ms < 0 ? "–" : format.time(record.timestamp_ms)),
    h("td", { className: "nowrap" }, record.key ?? "–"),
    h("td", {}, valueOf(record)));
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
