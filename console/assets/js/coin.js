// The chart page of a coin: its chart over a time range, and the alerts in that range.
//
// The range ends now and moves on, or it lies around a moment and stays.

import { alertItem } from "./alerts.js";
import { makeChart } from "./chart.js";
import { h, inNextFrame, nothing, onThemeChange, setText } from "./dom.js";
import * as format from "./format.js";
import { ask, connect } from "./live.js";

const RANGES = [[15, "15 min"], [60, "1 h"], [360, "6 h"], [1440, "1 day"], [10_080, "7 days"]];
const ALERTS_SHOWN_MAX = 100;

export function coinPage(main, [coin = ""], query) {
  const minutes = RANGES.some(([m]) => String(m) === query.get("minutes")) ? Number(query.get("minutes")) : 60;
  const path = `#/coin/${encodeURIComponent(coin)}`;
  const at = Number(query.get("at")) || null;
  const around = at === null ? "" : `&at=${at}`;
  let columns = null;
  let alerts = [];
  let chart = null;
  let left = false;
  let disconnect = () => {};

  const price = h("data", { className: "price" });
  const ranges = h("nav", { className: "ranges", "aria-label": "Time range" }, RANGES.map(([m, name]) =>
    h("a", { href: `${path}?minutes=${m}${around}`, "aria-current": m === minutes ? "true" : undefined }, name)));
  const holder = h("div", {
    className: "chart", tabIndex: 0, role: "img", "aria-label": `Chart of ${coin}`, onkeydown: (event) => {
      const by = { ArrowLeft: -1, ArrowRight: 1, PageUp: -20, PageDown: 20 }[event.key];
      if (by && chart) {
        event.preventDefault();
        chart.step(by);
      }
    },
  });
  const spoken = h("p", { className: "unseen", "aria-live": "polite" });
  const summary = h("p", { className: "summary" });
  const note = h("p", { className: "faint" },
    "A random walk with this volatility stays within the band 95 % of the time. Triangles mark alerts. " +
    "Drag to zoom in, double-click to zoom out. The arrow keys move along the chart.");
  const list = h("ol", { className: "alerts", "aria-label": `Alerts of ${coin}, newest first` });
  const state = nothing("Reading the lake …");
  main.append(
    h("p", { className: "crumbs" }, h("a", { href: "#/market" }, "Market"), " / ",
      ...(at === null ? [coin] : [h("a", { href: `${path}?minutes=${minutes}` }, coin), ` / around ${format.time(at)}`])),
    h("div", { className: "title" }, h("h1", {}, coin, " ", price), ranges),
    summary, state, holder, spoken, note,
    h("h2", {}, "Alerts in this range"), list,
  );
  holder.hidden = true;
  note.hidden = true;

  const draw = inNextFrame(() => {
    const { time } = columns;
    if (time.length === 0) {
      setText(state, `No prices of ${coin} in this range. Check the coin's name; prices appear once crypto-features has them.`);
      return;
    }
    state.hidden = true;
    holder.hidden = false;
    note.hidden = false;
    if (chart) chart.show(columns);
    else chart = makeChart(holder, columns, () => alerts, hovered);
    const newest = columns.price.at(-1);
    setText(price, format.price(newest));
    price.value = String(newest);
    describe();
  });

  const drawAlerts = inNextFrame(() => {
    const from = (columns?.time.at(-1) ?? 0) - minutes * 60_000;
    const shown = alerts.filter((alert) => alert.event_time >= from).slice(-ALERTS_SHOWN_MAX).reverse();
    list.replaceChildren(...shown.map((alert) => alertItem(alert, false)));
    if (shown.length === 0) list.append(h("li", { className: "faint" }, "None."));
    if (chart) chart.redraw();
  });

  /** Puts the chart into words. */
  function describe() {
    let low = Infinity;
    let high = -Infinity;
    for (const p of columns.price) {
      if (p < low) low = p;
      if (p > high) high = p;
    }
    const first = columns.price[0];
    const newest = columns.price.at(-1);
    const text = `${format.change(newest / first - 1)} since ${format.time(columns.time[0])}, low ${format.price(low)}, ` +
      `high ${format.price(high)}, ${format.counted(alerts.length, "alert")}`;
    setText(summary, text + (columns.sampled ? ". The range has more files than a chart reads; some were skipped." : ""));
    holder.setAttribute("aria-label", `Chart of ${coin}: ${text}`);
  }

  function hovered(index) {
    if (index === null || index === undefined || document.activeElement !== holder) return;
    setText(spoken, `${format.time(columns.time[index])}: ${format.price(columns.price[index])}`);
  }

  function takePoints(fresh) {
    const newest = columns.time.at(-1) ?? -Infinity;
    fresh.time.forEach((time, index) => {
      if (time > newest) for (const name of Object.keys(fresh)) columns[name].push(fresh[name][index]);
    });
    const from = (columns.time.at(-1) ?? 0) - minutes * 60_000;
    let stale = 0;
    while (columns.time[stale] < from) stale += 1;
    if (stale > 0) for (const name of Object.keys(fresh)) columns[name].splice(0, stale);
    draw();
  }

  function takeAlerts(fresh) {
    const known = new Set(alerts.map((alert) => alert.alert_id));
    const from = (columns.time.at(-1) ?? 0) - minutes * 60_000;
    alerts = alerts.concat(fresh.filter((alert) => !known.has(alert.alert_id) && alert.event_time >= from));
    alerts.sort((a, b) => a.event_time - b.event_time);
    drawAlerts();
  }

  const asked = { coin, minutes };
  if (at !== null) asked.until = at + minutes * 30_000;
  ask("/api/history", asked).then((history) => {
    if (left) return;
    ({ alerts } = history);
    columns = history.points;
    columns.sampled = history.sampled;
    draw();
    drawAlerts();
    const after = columns.time.at(-1) ?? 0;
    disconnect = at === null
      ? connect({ page: "coin", coin, after }, { points: takePoints, alerts: takeAlerts })
      : connect({ page: "other" }, {});
  }, (error) => {
    if (left) return;
    setText(state, error.message);
    disconnect = connect({ page: "other" }, {});
  });
  const unlisten = onThemeChange(() => chart?.redraw());
  return () => {
    left = true;
    disconnect();
    unlisten();
    draw.cancel();
    drawAlerts.cancel();
    chart?.destroy();
  };
}
