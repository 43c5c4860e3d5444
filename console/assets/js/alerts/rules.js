// The user's alert rules on the Alerts page: what each says, and when it last fired.

import { h, setText, withCode } from "../dom.js";
import * as format from "../format.js";
import { ask } from "../live.js";
import { chartOf } from "./alert.js";

const HOW = "`alerts.rules` in coinlake.yaml adds some, such as {name: btc-60k, coins: [bitcoin], when: price crosses_below 60000}.";

/** So many rules are shown without being asked for. */
const FEW = 6;
const REFRESH_MS = 5000;

/** A section with every rule. `changed` is called with their names whenever there are others. */
export function ruleSection(changed) {
  const rows = new Map();
  const body = h("tbody");
  const about = h("p", { className: "faint" }, "Reading the rules …");
  const heads = ["Rule", "Coins", "When", "Severity", "Last fired"].map((name) => h("th", { scope: "col" }, name));
  const table = h("div", { className: "scroll", tabIndex: 0, role: "region", "aria-label": "Your rules", hidden: true },
    h("table", { className: "plain" }, h("thead", {}, h("tr", {}, heads)), body));
  const title = h("summary", {}, "Your rules");
  const section = h("details", { className: "rules" }, title, table, about);

  function rowOf(rule) {
    const coins = rule.coins.length > 0 ? rule.coins.join(", ") : rule.when ? "all" : "–";
    return h("tr", { "data-rule": rule.name },
      h("th", { scope: "row" }, h("a", { href: `#/alerts?kind=${encodeURIComponent(format.kindOfRule(rule.name))}` }, rule.name)),
      h("td", {}, coins),
      h("td", {}, rule.when ? h("code", {}, rule.when) : h("span", { className: "faint" }, "no longer, or not yet, among the rules")),
      h("td", {}, rule.severity ?? "–"),
      h("td", { className: "nowrap" }, ...lastOf(rule)));
  }

  function lastOf({ last }) {
    if (last === null) return ["never"];
    const { event_time, coin } = last;
    return [h("time", { dateTime: new Date(event_time).toISOString() }, format.time(event_time)),
      " on ", h("a", { href: chartOf(last) }, coin)];
  }

  /** A rule may have changed, or be known only now. */
  function show(rule) {
    const text = JSON.stringify(rule);
    const known = rows.get(rule.name);
    if (known?.text === text) return;
    const row = rowOf(rule);
    if (known) known.row.replaceWith(row);
    else body.append(row);
    rows.set(rule.name, { row, text });
  }

  function take(list) {
    list.rules.forEach(show);
    const names = new Set(list.rules.map(({ name }) => name));
    for (const [name, { row }] of rows) {
      if (names.has(name)) continue;
      row.remove();
      rows.delete(name);
    }
    table.hidden = rows.size === 0;
    about.replaceChildren(...withCode(!list.known ? "Which rules run is known after the first commit to the table of alerts."
      : list.rules.length === 0 ? `None. ${HOW}`
      : "As of the newest commit to the table of alerts. `coinlake rules check` says how often a rule would have fired in the past."));
    setText(title, `Your rules (${rows.size})`);
    changed([...rows.keys()]);
  }

  let asked = false;

  /** Asks for the rules again, some seconds later: alerts come in bursts. */
  function refresh() {
    if (asked) return;
    asked = true;
    setTimeout(() => {
      asked = false;
      if (section.isConnected) ask("api/rules").then(take, () => {});
    }, REFRESH_MS);
  }

  ask("api/rules").then((list) => {
    section.open = list.rules.length > 0 && list.rules.length <= FEW;
    take(list);
  }, (error) => setText(about, error.message));
  return { section, refresh };
}
