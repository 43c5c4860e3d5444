// Why an alert fired: what was measured, and the bound that it is beyond.

import { h } from "../dom.js";
import * as format from "../format.js";
import { ask } from "../live.js";

let asked = null;

/** The bounds that crypto-anomaly has; empty while nobody knows them, which the first commit changes. */
async function bounds() {
  asked ??= ask("api/bounds").catch(() => null);
  const known = await asked;
  if (known === null) asked = null;
  return known ?? {};
}

const percent = (value) => format.change(value);
const times = (value) => `${format.decimal(value, 1)} times`;
const beyond = (bound, write) => (bound === undefined ? "" : ` (bound ${write(bound)})`);
const deviations = (value) => `${format.decimal(value, 1)} standard deviations`;

/** What each built-in kind was found by. */
const FOUND = {
  price_spike: ({ zscore_15m: z, move_15m: move }, { price_zscore, min_move }) =>
    `the price was ${deviations(z)} from its mean of 15 minutes${beyond(price_zscore, (v) => `±${v}`)}, a move of ${percent(move)}${beyond(min_move, (v) => `±${format.decimal(v * 100, 1)} %`)}`,
  price_move: ({ return_zscore_15m: z, return_15m: change }, { price_zscore, min_return }) =>
    `the price changed by ${percent(change)} in 15 minutes${beyond(min_return, (v) => `±${format.decimal(v * 100, 1)} %`)}, ${deviations(z)} of how it usually moves${beyond(price_zscore, (v) => `±${v}`)}`,
  volume_spike: ({ volume_surge: surge, volume_ratio: ratio }, { volume_surge: bound }) =>
    `trading was ${surge > (bound ?? 0) || ratio === null ? `${times(surge)} its daily average` : `at ${times(ratio)} the volume of its last 15 minutes`}${beyond(bound, times)}`,
};

/** A line to unfold; the reasons are written when it is. */
export function whyOf(alert, opened) {
  const list = h("ul", { className: "ticks" });
  const unfold = h("details", { className: "why", open: opened }, h("summary", {}, "Why"), list);
  const write = async () => {
    if (!unfold.open) return;
    const known = await bounds();
    const reasons = alert.kinds.map((kind) => {
      const rule = format.ruleOf(kind);
      if (rule !== null) return `Your rule ${rule} held: the message says its condition and the values.`;
      const found = FOUND[kind]?.(alert, known);
      return found ? `${sentenceCase(format.kind(kind))}: ${found}.` : sentenceCase(format.kind(kind));
    });
    const score = `Score ${format.decimal(alert.score, 2)}: critical from ${format.decimal(known.critical, 1)}, warning from ${format.decimal(known.warning, 1)}, else info. It grows with each figure beyond its bound.`;
    if (known.critical !== undefined && alert.kinds.some((kind) => format.ruleOf(kind) === null)) reasons.push(score);
    list.replaceChildren(...reasons.map((reason) => h("li", {}, reason)));
  };
  unfold.addEventListener("toggle", write);
  return unfold;
}

function sentenceCase(text) {
  return text[0].toUpperCase() + text.slice(1);
}
