// What pages say of one alert.

import { h } from "../dom.js";
import * as format from "../format.js";
import { whyOf } from "./why.js";

/** The names of the rules among the kinds of an alert, as badges. */
export function ruleBadges(kinds) {
  const names = kinds.map(format.ruleOf).filter((name) => name !== null);
  return names.map((name) => h("span", { className: "rule", title: "One of your rules" }, name));
}

/** An alert as a list item; the one that the reader followed here is marked. */
export function alertItem(alert, followed) {
  return h("li", { className: "alert", "aria-current": followed ? "true" : undefined, "data-severity": alert.severity, "data-id": alert.alert_id },
    h("span", { className: "severity" }, alert.severity),
    h("div", { className: "what" },
      h("p", { className: "message" }, ruleBadges(alert.kinds), messageOf(alert)),
      h("p", { className: "faint" },
        [timeOf(alert), ...factsOf(alert, alert.kinds).map((fact) => h("span", {}, fact))].flatMap((fact, i) => (i > 0 ? [" · ", fact] : [fact]))),
      whyOf([alert], alert.kinds, false)));
}

export function timeOf({ event_time }) {
  return h("time", { dateTime: new Date(event_time).toISOString() }, format.time(event_time));
}

/** The message, without the name that already stands before it. */
export function messageOf({ message }, name = "") {
  const text = name && message.startsWith(`${name} `) ? message.slice(name.length + 1) : message;
  return h("span", { title: message }, format.sentence(text));
}

/** A message that names the price. */
const PRICED = / (rose to|fell to|at) \$?\d/;

/** What is not in the message of an alert: the price, if so, and the built-in ones of these kinds. */
export function factsOf({ message, price }, kinds) {
  const names = kinds.filter((kind) => format.ruleOf(kind) === null).map(format.kind);
  return [PRICED.test(message) ? "" : format.money(format.price(price)), names.join(", ")].filter(Boolean);
}

/** The address of the chart of the hour around an alert. */
export function chartOf(alert) {
  return `#/coin/${encodeURIComponent(alert.coin)}?minutes=60&at=${alert.event_time}`;
}
