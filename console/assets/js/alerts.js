// The Alerts page: the newest alerts, live.

import { h, inNextFrame, nothing, setText } from "./dom.js";
import * as format from "./format.js";
import { connect } from "./live.js";

const HELD_MAX = 1000;
const SHOWN_MAX = 200;
const SEVERITIES = ["critical", "warning", "info"];
const KINDS = ["price_spike", "price_move", "volume_spike"];
const NO_ALERTS = "No alerts yet. They appear here as soon as crypto-alerts has them.";

/** An alert as a list item. */
export function alertItem(alert, linked = true) {
  const name = h("strong", {}, alert.symbol ? alert.symbol.toUpperCase() : alert.coin);
  return h("li", { className: "alert", "data-severity": alert.severity, "data-id": alert.alert_id },
    h("span", { className: "severity" }, alert.severity),
    h("div", { className: "what" },
      h("p", { className: "message" }, linked ? h("a", { href: chartOf(alert) }, name) : null, " ", alert.message),
      h("p", { className: "faint" },
        h("time", { dateTime: new Date(alert.event_time).toISOString() }, format.time(alert.event_time)),
        " · ", h("span", {}, format.price(alert.price), " USD"),
        alert.kinds ? ` · ${alert.kinds.map(format.kind).join(", ")}` : "",
        alert.score === undefined ? "" : ` · score ${format.decimal(alert.score, 2)}`)));
}

/** The address of the chart of the hour around an alert. */
function chartOf(alert) {
  return `#/coin/${encodeURIComponent(alert.coin)}?minutes=60&at=${alert.event_time}`;
}

export function alertsPage(main, _path, query) {
  let alerts = [];
  let unseen = 0;

  const options = (all, names) => [h("option", { value: "" }, all), ...names.map((n) => h("option", { value: n }, format.kind(n)))];
  const coin = h("input", { type: "search", id: "alert-coin", placeholder: "bitcoin", value: query.get("coin") ?? "", oninput: redrawAll });
  const severity = h("select", { id: "alert-severity", onchange: redrawAll }, options("all severities", SEVERITIES));
  const kind = h("select", { id: "alert-kind", onchange: redrawAll }, options("all kinds", KINDS));
  const count = h("p", { className: "summary" });
  const list = h("ol", { className: "alerts", "aria-label": "Alerts, newest first" });
  const announced = h("p", { className: "unseen", "aria-live": "polite" });
  const empty = nothing(NO_ALERTS);
  main.append(
    h("h1", {}, "Alerts"),
    h("form", { className: "filters", onsubmit: (event) => event.preventDefault() },
      h("label", {}, "Coin", coin), h("label", {}, "Severity", severity), h("label", {}, "Kind", kind)),
    count, announced, list, empty,
  );

  const wanted = (alert) =>
    (severity.value === "" || alert.severity === severity.value) &&
    (kind.value === "" || alert.kinds.includes(kind.value)) &&
    matches(alert, coin.value.trim().toLowerCase());

  function matches(alert, text) {
    return text === "" || alert.coin.toLowerCase().includes(text) || alert.symbol.toLowerCase().includes(text);
  }

  let all = true;
  const draw = inNextFrame(() => {
    const shown = alerts.filter(wanted);
    if (all) {
      list.replaceChildren(...shown.slice(-SHOWN_MAX).reverse().map((alert) => alertItem(alert)));
    } else {
      const fresh = alerts.slice(alerts.length - unseen).filter(wanted).slice(-SHOWN_MAX);
      list.prepend(...fresh.reverse().map((alert) => alertItem(alert)));
      while (list.childElementCount > SHOWN_MAX) list.lastElementChild.remove();
      announce(fresh);
    }
    all = false;
    unseen = 0;
    empty.hidden = list.childElementCount > 0;
    setText(empty, alerts.length === 0 ? NO_ALERTS : "No alert matches the filters.");
    const rest = shown.length > SHOWN_MAX ? `; the newest ${SHOWN_MAX} are shown` : "";
    setText(count, `${format.count(shown.length)} of ${format.counted(alerts.length, "alert")} match${rest}`);
  });

  function announce(fresh) {
    if (fresh.length === 0) return;
    const newest = fresh[0];
    const more = fresh.length > 1 ? ` and ${fresh.length - 1} more` : "";
    setText(announced, `${newest.severity}: ${newest.coin} ${newest.message}${more}`);
  }

  function redrawAll() {
    all = true;
    draw();
  }

  let first = true;
  const disconnect = connect({ page: "alerts" }, {
    alerts: (fresh) => {
      // After a reconnect the console sends the whole list again.
      const known = new Set(alerts.slice(-HELD_MAX).map((alert) => alert.alert_id));
      const added = fresh.filter((alert) => !known.has(alert.alert_id));
      alerts = alerts.concat(added).slice(-HELD_MAX);
      unseen = Math.min(alerts.length, unseen + added.length);
      if (first) all = true;
      first = false;
      draw();
    },
  });
  return () => {
    disconnect();
    draw.cancel();
  };
}
