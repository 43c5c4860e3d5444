// Why alerts fired: what was measured, the bounds that it is beyond, and the score that makes it worth telling.

import { h } from "../dom.js";
import * as format from "../format.js";
import { ask } from "../live.js";

const UNKNOWN = "The bounds are known after the first commit.";

let asked = null;

/** The bounds that crypto-anomaly has; null while nobody knows them, which the first commit changes. */
async function bounds() {
  asked ??= ask("api/bounds");
  try {
    const known = await asked;
    if (known === null) asked = null;
    return known;
  } catch (error) {
    asked = null;
    throw error;
  }
}

const percent = (value) => format.change(value);
const times = (value) => `${format.decimal(value, 1)} times`;
const above = (bound, write) => (bound === undefined ? "" : ` (counts above ${write(bound)})`);
const share = (value) => `±${format.decimal(value * 100, 1)} %`;
const deviations = (value) => `${format.decimal(value, 1)} standard deviations`;
const size = (value) => Math.abs(value ?? 0);

/** What each built-in kind was found by, and how strong it is. */
const KINDS = {
  price_spike: {
    strength: ({ move_15m: move }) => size(move),
    found: ({ zscore_15m: z, move_15m: move }, { price_zscore, min_move }) =>
      `the price was ${deviations(z)} from its mean of 15 minutes${above(price_zscore, (v) => `±${v}`)}, a move of ${percent(move)}${above(min_move, share)}`,
  },
  price_move: {
    strength: ({ return_15m: change }) => size(change),
    found: ({ return_zscore_15m: z, return_15m: change }, { price_zscore, min_return }) =>
      `the price changed by ${percent(change)} in 15 minutes${above(min_return, share)}, ${deviations(z)} of how it usually moves${above(price_zscore, (v) => `±${v}`)}`,
  },
  volume_spike: {
    strength: ({ volume_surge: surge, volume_ratio: ratio }) => Math.max(size(surge), size(ratio)),
    found: ({ volume_surge: surge, volume_ratio: ratio }, { volume_surge: bound }) =>
      `trading was ${surge > (bound ?? 0) || ratio === null ? `${times(surge)} its daily average` : `at ${times(ratio)} the volume of its last 15 minutes`}${above(bound, times)}`,
  },
};

/** The first alert of the highest rank. */
function highest(alerts, rank) {
  return alerts.reduce((best, alert) => (rank(alert) > rank(best) ? alert : best));
}

/** When that was, where there are others. */
function at({ event_time }, alerts) {
  return alerts.length > 1 ? ` at ${format.timeAfter(event_time, alerts[0].event_time)}` : "";
}

function reasonOf(kind, alerts, known) {
  const rule = format.ruleOf(kind);
  if (rule !== null) return `Your rule ${rule} held: the message says its condition and the values.`;
  const title = format.sentenceCase(format.kind(kind));
  const of = KINDS[kind];
  if (of === undefined) return title;
  const strongest = highest(alerts.filter((alert) => alert.kinds.includes(kind)), of.strength);
  return `${title}${at(strongest, alerts)}: ${of.found(strongest, known)}.`;
}

/** What the score makes of it, and from where on readers are told. */
function scoreOf(alerts, { critical, warning, min_severity: least }) {
  const highestOf = highest(alerts, ({ score }) => score ?? 0);
  const below = least === "info" ? "else info" : `below ${least === "critical" ? "that" : "a warning"} there is no alert`;
  return `Score ${format.decimal(highestOf.score, 2)}${at(highestOf, alerts)}: a warning from ${format.decimal(warning, 1)}, ` +
    `critical from ${format.decimal(critical, 1)}; ${below}. It grows with each figure beyond its bound.`;
}

/** A line to unfold that explains these kinds of alerts, each by the alert where it was strongest; the reasons are written when it is. */
export function whyOf(alerts, kinds, opened) {
  const list = h("ul", { className: "ticks" });
  const unfold = h("details", { className: "why", open: opened }, h("summary", {}, "Why"), list);
  const show = (reasons) => list.replaceChildren(...reasons.map((reason) => h("li", {}, reason)));
  unfold.addEventListener("toggle", () => {
    if (!unfold.open) return;
    bounds().then((known) => {
      const reasons = kinds.map((kind) => reasonOf(kind, alerts, known ?? {}));
      const isBuiltIn = kinds.some((kind) => format.ruleOf(kind) === null);
      show(isBuiltIn ? [...reasons, known === null ? UNKNOWN : scoreOf(alerts, known)] : reasons);
    }, (error) => show([error.message]));
  });
  return unfold;
}
