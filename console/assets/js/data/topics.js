// Topics: which there are, how one is set up, who reads it, and its records.

import { h, nothing } from "../dom.js";
import * as format from "../format.js";
import { ask } from "../live.js";
import { choices, table } from "../table.js";
import { recordsOf } from "./records.js";
import { tailOf } from "./tail.js";

/** The parts of the page, and what ends it. */
export async function topicsView(name, query) {
  const topics = await ask("api/topics");
  const list = choices("Topics", topics.map((topic) => (
    { name: topic.name, href: `#/data/topics/${encodeURIComponent(topic.name)}`, note: format.count(topic.records) })), name);
  if (!name) return { parts: [list, nothing("Choose a topic.")] };
  const listed = topics.find((topic) => topic.name === name);
  if (!listed) return { parts: [list, nothing(`There is no topic ${name}.`)] };
  const topic = await ask("api/topic", { topic: name });
  const page = h("section", {}, h("h2", {}, name), settingsOf(topic, listed.bytes), consumersOf(topic));
  if (query.get("follow")) {
    const { element, leave } = tailOf(topic, query);
    page.append(element);
    return { parts: [list, page], leave };
  }
  page.append(...await recordsOf(topic, query));
  return { parts: [list, page] };
}

/** How a topic is set up, and what it takes. */
function settingsOf({ partitions, replication, retention_seconds: retention, partition_bytes_max: most, segment_bytes: segment, compression, deduplication }, bytes) {
  const records = partitions.reduce((sum, { start, end }) => sum + end - start, 0);
  const facts = [
    ["Records", format.count(records)],
    ["Size", bytes === null ? "unknown" : format.bytes(bytes)],
    ["Partitions", String(partitions.length)],
    ["Replicas", replication === null ? "as assigned" : String(replication)],
    ["Retention", retention === null ? "as the cluster's default" : format.seconds(retention)],
    ["Most a partition holds", most === null ? "as the cluster's default" : format.bytes(most)],
  ];
  if (segment !== null) facts.push(["Segment", format.bytes(segment)]);
  facts.push(["Compression", compression]);
  if (deduplication) facts.push(["Deduplication", "yes"]);
  return h("dl", { className: "facts", "aria-label": "Settings and size" }, facts.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
}

function consumersOf({ consumers }) {
  const body = consumers.length === 0
    ? h("p", { className: "faint" }, "None has stored an offset. Stages and notifiers do once they have handled a record.")
    : table("Consumers that store how far they are", [["Consumer"], ["Partition", "number"], ["Last offset", "number"], ["Records behind", "number"]],
      consumers.map((consumer) => h("tr", {}, h("th", { scope: "row" }, consumer.name),
        h("td", { className: "number" }, String(consumer.partition)), h("td", { className: "number" }, String(consumer.offset)),
        h("td", { className: "number" }, format.count(consumer.behind)))));
  return h("details", { className: "consumers" }, h("summary", {}, `Consumers (${consumers.length})`), body);
}
