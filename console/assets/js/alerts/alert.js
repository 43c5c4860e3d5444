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
        timeOf(alert), " · ", h("span", {}, format.money(format.price(alert.price))), builtIn(alert.kinds)),
      whyOf(alert, false)));
}

export function timeOf({ event_time }) {
  return h("time", { dateTime: new Date(event_time).toISOString() }, format.time(event_time));
}

/** The message, without the name that already stands before it. */
export function messageOf({ message }, name = "") {
  const text = name && message.startsWith(`${name} `) ? message.slice(name.length + 1) : message;
  return h("span", { title: message }, format.sentence(text));
}

/** The built-in kinds, as text that goes on after others. */
export function builtIn(kinds) {
  const names = kinds.filter((kind) => format.ruleOf(kind) === null).map(format.kind);
  return names.length > 0 ? ` · ${names.join(", ")}` : "";
}

/** The address of the chart of the hour around an alert. */
export function chartOf(alert) {
  return `#/coin/${encodeURIComponent(alert.coin)}?minutes=60&at=${alert.event_time}`;
}
