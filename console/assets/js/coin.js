// The chart page of a coin: its chart over a time range, and the alerts in that range.
//
// The range ends now and moves on, or it is of the past and stays.

import { alertItem } from "./alerts/alert.js";
import { addressOf, isLive, questionOf, readAddress } from "./chart/address.js";
import { candles, push } from "./chart/candles.js";
import { makeChart } from "./chart/chart.js";
import { comparison } from "./chart/comparison.js";
import { sharpen, wholeOf } from "./chart/detail.js";
import { kindLinks, moreControls, rangeLinks } from "./chart/controls.js";
import { lines } from "./chart/lines.js";
import { foreseen } from "./chart/outlooks.js";
import { placeOf } from "./chart/plot.js";
import { alertsWithin, asRows, inWords } from "./chart/summary.js";
import { csvOf, download } from "./csv.js";
import { h, inNextFrame, nothing, onThemeChange, setText } from "./dom.js";
import * as format from "./format.js";
import { ask, connect } from "./live.js";

const ALERTS_SHOWN_MAX = 100;
/** Ticks that a chart drawn from fewer takes in before it is drawn anew, and the least time until then. */
const FRESH_MAX = 60;
const ANEW_MIN_MS = 60_000;
/** Pause before asking again for a past that is not there yet. */
const AGAIN_MS = 3000;
const KEYS = { ArrowLeft: -1, ArrowRight: 1, PageUp: -20, PageDown: 20 };
const BAND = "A random walk with this volatility stays within the band 95 % of the time. ";
const MARKS = "Triangles mark alerts. Drag to zoom in, double-click to zoom out. The arrow keys move along the chart.";

export function coinPage(main, [coin = ""], query) {
  const view = readAddress(coin, query);
  const { at, other } = view;
  /** What is drawn: ticks as `columns`, their `candles`, the ticks of the `others`, and `alerts`. Of more ticks than there are pixels only some
   * are; `hidden` counts the others. */
  let shown = null;
  /** The times that a reader has looked into, of which all ticks are drawn, or as many as there is room for. */
  let sharp = null;
  let looking = null;
  let items = new Map();
  let listed = null;
  let loadedAt = 0;
  let freshTicks = 0;
  let chart = null;
  let place = null;
  let left = false;
  let disconnect = () => {};
  let again = null;

  const price = h("data", { className: "price" });
  const name = h("span", {}, coin);
  const crumb = at === null ? h("span", {}, coin) : h("a", { href: addressOf({ ...view, at: null }) }, coin);
  const symbol = h("span", { className: "symbol faint" });
  const holder = h("div", {
    className: "chart", tabIndex: 0, role: "img", "aria-label": `Chart of ${coin}`, hidden: true, onkeydown: (event) => {
      const by = KEYS[event.key];
      if (!by || !chart) return;
      event.preventDefault();
      const last = shown.columns.time.length - 1;
      chart.pointAt(Math.max(0, Math.min(last, (place ?? last) + by)));
    },
  });
  const spoken = h("p", { className: "unseen", "aria-live": "polite" });
  const summary = h("span");
  const whole = h("button", { type: "button", className: "copy", hidden: true, onclick: () => chart.zoomTo(null) }, "Zoom out");
  const past = h("p", { className: "faint", hidden: true },
    h("span", { className: "swatch past", "aria-hidden": "true" }),
    "The fainter line is made from CoinGecko's history, not followed live: its steps are coarser.");
  const note = h("p", { className: "faint", hidden: true });
  const list = h("ol", { className: "alerts", "aria-label": `Alerts of ${coin}, newest first` });
  const state = nothing("Reading the lake …");
  // There is nothing to take along before there is a chart.
  const controls = moreControls(view, () => chart && save().catch(complain));
  main.append(
    h("p", { className: "crumbs" }, h("a", { href: "#/market" }, "Market"), " / ",
      crumb, at === null ? null : ` / around ${format.time(at)}`),
    h("div", { className: "title" }, h("h1", {}, name, " ", symbol, " ", price),
      h("div", { className: "switches" }, other === "" ? kindLinks(view) : null, rangeLinks(view))),
    h("p", { className: "summary" }, summary, " ", whole), controls.whole, state, holder, spoken, past, note,
    h("h2", {}, "Alerts in this range"), list,
  );

  let inView = [-Infinity, Infinity];

  const complain = (error) => {
    state.hidden = false;
    setText(state, error.message);
  };

  /** Every tick in view as a file, or every candle. */
  async function save() {
    const [from, to] = inView;
    const isDrawn = view.candles || isWhole(from, to);
    const of = (id) => wholeOf(id, Math.floor(from), Math.ceil(to));
    const whole = isDrawn ? shown : { ...shown, columns: await of(coin), others: shown.others && await of(other) };
    download(`${coin}-${inView.map((ms) => new Date(ms).toISOString()).join("-")}.csv`, csvOf(asRows(whole, view, from, to)));
  }

  const draw = inNextFrame(() => {
    const { columns, others } = shown;
    if (columns.time.length === 0) {
      setText(state, `No prices of ${coin} in this range. Choose another range, or check the coin's name; prices appear once crypto-features has them.`);
      return;
    }
    state.hidden = true;
    holder.hidden = false;
    note.hidden = false;
    if (others?.time.length === 0) {
      state.hidden = false;
      setText(state, `No prices of ${other} in this range: check its name, which is a CoinGecko id such as ethereum.`);
    }
    past.hidden = Boolean(others) || view.candles || !columns.backfilled.includes(true);
    shown.foreseen = allForeseen();
    if (chart) chart.show(shown);
    else chart = makeChart(holder, shown, { kind: kindOf(), followed: at, onView: see, onHover: hovered });
    const newest = columns.price.at(-1);
    setText(price, format.money(format.price(newest)));
    price.value = String(newest);
    controls.showDates(columns.time[0], columns.time.at(-1));
  });

  function kindOf() {
    if (shown.others) return comparison(coin, other);
    return view.candles ? candles : lines;
  }

  function noteOf() {
    const { columns, hidden } = shown;
    const drawn = columns.time.length;
    const some = hidden.ticks > 0 ? `Drawn from ${format.count(drawn)} of ${format.count(drawn + hidden.ticks)} ticks, with the lowest and the highest of each stretch: zoom in for all. ` : "";
    if (shown.others) return `${some}Each line is the change since its first price in the range. ${MARKS}`;
    if (view.candles) return `A candle is ${format.seconds(shown.candles.stretch_ms / 1000)} of ticks. ${some}${MARKS}${marksForeseen()}`;
    return some + BAND + MARKS + marksForeseen();
  }

  /** Marks of what was foreseen are exact where all ticks are drawn; elsewhere there are none. */
  function allForeseen() {
    const { columns, threshold, hidden } = shown;
    if (hasAll(hidden)) return foreseen(columns, threshold, -Infinity, Infinity);
    return sharp !== null && hasAll(sharp.hidden) ? foreseen(columns, threshold, sharp.from, sharp.to) : [];
  }

  function marksForeseen() {
    const { columns, threshold } = shown;
    if (columns.trend_up_probability.every((probability) => probability === null)) return "";
    if (!isWhole(...inView)) return " Zoom in for marks of what the models foresaw.";
    const found = shown.foreseen.filter(({ time }) => time >= inView[0] && time <= inView[1]);
    const anomalies = found.filter(({ what }) => what === "anomaly").length;
    const from = threshold === null ? "" : ` Diamonds mark where the model foresees an anomaly, from a score of ${format.share(threshold)} on: ${anomalies} here.`;
    return `${from} Arrows below the line mark where the trend it foresees turns for 15 minutes or more: ${found.length - anomalies} here.`;
  }

  /** Puts what is in view into words. */
  function see(from, to, isZoomed) {
    inView = [from, to];
    setText(note, noteOf());
    drawAlerts();
    const say = () => putIntoWords(from, to, isZoomed);
    if (isZoomed && !isSharp(from, to)) lookInto(from, to).catch((error) => !left && (complain(error), say()));
    else say();
  }

  function putIntoWords(from, to, isZoomed) {
    whole.hidden = !isZoomed;
    const text = inWords(shown, view, from, to, isZoomed ? sharp?.hidden : shown.hidden, !isZoomed && at === null && view.from === null);
    setText(summary, text);
    holder.setAttribute("aria-label", `Chart of ${coin}: ${text}`);
  }

  /** Whether all ticks of these times are drawn. */
  function isWhole(from, to) {
    return hasAll(shown.hidden) || (sharp !== null && hasAll(sharp.hidden) && from >= sharp.from && to <= sharp.to);
  }

  /** Whether a look into these times would bring no more. */
  function isSharp(from, to) {
    return isWhole(from, to) || (sharp !== null && from === sharp.from && to === sharp.to);
  }

  /** Asks for the ticks between these times, and draws them. */
  async function lookInto(from, to) {
    const asked = `${from} ${to}`;
    if (looking === asked) return;
    looking = asked;
    const of = (id) => ask("api/history", { coin: id, from: Math.floor(from), until: Math.ceil(to), points: room() });
    try {
      const [history, second] = await Promise.all([of(coin), shown.others && of(other)]);
      if (left || looking !== asked) return;
      const before = countsOf(shown);
      sharpen(shown.columns, history.points, from);
      if (second) sharpen(shown.others, second.points, from);
      const after = countsOf(shown);
      for (const of of Object.keys(after)) shown.hidden[of] -= after[of] - before[of];
      sharp = { from, to, hidden: partsOf(history, second).hidden };
      draw();
    } finally {
      if (looking === asked) looking = null;
    }
  }

  const drawAlerts = inNextFrame(() => {
    const alerts = alertsWithin(shown.alerts, ...inView).slice(-ALERTS_SHOWN_MAX).reverse();
    const ids = alerts.map((alert) => alert.alert_id).join();
    if (ids === listed) return;
    // What is unfolded stays so.
    listed = ids;
    items = new Map(alerts.map((alert) => [alert.alert_id, items.get(alert.alert_id) ?? alertItem(alert, alert.event_time === at)]));
    list.replaceChildren(...items.values());
    if (alerts.length === 0) list.append(h("li", { className: "faint" }, "None."));
  });

  function hovered(index) {
    place = index;
    if (index === null || document.activeElement !== holder) return;
    const { columns } = shown;
    setText(spoken, `${format.time(columns.time[index])}: ${format.money(format.price(columns.price[index]))}`);
  }

  /** Adds ticks that are newer than all before; what the range has left behind goes. */
  function append(table, fresh) {
    const newest = table.time.at(-1) ?? -Infinity;
    fresh.time.forEach((time, index) => {
      if (time > newest) for (const column of Object.keys(fresh)) table[column].push(fresh[column][index]);
    });
    const stale = view.from === null ? placeOf(table.time, (table.time.at(-1) ?? 0) - view.minutes * 60_000) : 0;
    if (stale > 0) for (const column of Object.keys(fresh)) table[column].splice(0, stale);
  }

  function takePoints(columns) {
    extend(columns);
    draw();
    freshTicks += columns.time.length;
    if (freshTicks > FRESH_MAX && shown.hidden.ticks > 0 && performance.now() - loadedAt > ANEW_MIN_MS) load().catch(() => {});
  }

  function extend(fresh) {
    const newest = shown.columns.time.at(-1) ?? -Infinity;
    append(shown.columns, fresh);
    fresh.time.forEach((time, index) => {
      if (time > newest) push(shown.candles, time, fresh.price[index]);
    });
    if (view.from === null) {
      const stale = placeOf(shown.candles.time, shown.columns.time[0] - shown.candles.stretch_ms + 1);
      for (const column of ["time", "open", "high", "low", "close"]) shown.candles[column].splice(0, stale);
    }
  }

  function takeOthers(fresh) {
    append(shown.others, fresh);
    draw();
  }

  /** Predictions come after their ticks. */
  function takeOutlooks({ time, ...fresh }) {
    const { columns } = shown;
    time.forEach((ms, index) => {
      const tick = placeOf(columns.time, ms);
      if (columns.time[tick] === ms) for (const column of Object.keys(fresh)) columns[column][tick] = fresh[column][index];
    });
    draw();
  }

  function takeAlerts(fresh) {
    const known = new Set(shown.alerts.map((alert) => alert.alert_id));
    const from = shown.columns.time[0] ?? Infinity;
    shown.alerts = shown.alerts.concat(fresh.filter((alert) => !known.has(alert.alert_id) && alert.event_time >= from));
    shown.alerts.sort((a, b) => a.event_time - b.event_time);
    if (fresh.length > 0) draw();
  }

  const load = async () => {
    const question = { ...questionOf(view), points: room() };
    loadedAt = performance.now();
    freshTicks = 0;
    const [history, second] = await Promise.all([
      ask("api/history", { coin, ...question }), other === "" ? null : ask("api/history", { coin: other, ...question })]);
    if (left) return;
    const before = shown;
    shown = { ...partsOf(history, second), candles: history.candles, alerts: history.alerts, threshold: history.anomaly_threshold };
    sharp = null;
    // A stream may have been quicker.
    if (before) {
      extend(before.columns);
      takeAlerts(before.alerts);
    }
    if (before?.others && shown.others) append(shown.others, before.others);
    const called = history.name ?? coin;
    for (const place of [name, crumb]) setText(place, called);
    const ticker = history.symbol?.toUpperCase() ?? "";
    setText(symbol, ticker === called.toUpperCase() ? "" : ticker);
    document.title = `${called} · Coinlake`;
    draw();
  };
  const question = () => ({ page: "coin", coin, after: shown.columns.time.at(-1) ?? 0,
    ...(shown.others ? { with: other, with_after: shown.others.time.at(-1) ?? 0 } : {}) });
  const handlers = { points: takePoints, others: takeOthers, outlooks: takeOutlooks, alerts: takeAlerts };
  const begin = () => load().then(() => {
    if (left) return;
    disconnect();
    // What came while the stream was lost is in the history.
    disconnect = isLive(view) ? connect(question, handlers, () => load().catch(() => {})) : connect({ page: "other" }, {});
  }, (error) => {
    if (left) return;
    setText(state, error.message);
    if (again === null) disconnect = connect({ page: "other" }, {});
    again = setTimeout(begin, AGAIN_MS);
  });
  begin();
  const unlisten = onThemeChange(() => chart?.redraw());
  return () => {
    left = true;
    clearTimeout(again);
    disconnect();
    unlisten();
    draw.cancel();
    drawAlerts.cancel();
    chart?.destroy();
  };
}

/** As many points as a chart has pixels for: a stretch of two has the lowest and the highest of all that it shows. */
function room() {
  return 2 * Math.max(300, document.getElementById("main").clientWidth);
}

/** What answers bring of a coin, and of a second one, if any. */
function partsOf({ points, ticks, ticks_backfilled }, second) {
  const parts = { columns: points, others: second?.points ?? null };
  const drawn = countsOf(parts);
  const hidden = { ticks: ticks - drawn.ticks, past: ticks_backfilled - drawn.past, others: (second?.ticks ?? 0) - drawn.others };
  return { ...parts, hidden };
}

/** How many ticks are drawn, and how many of them are from history. */
function countsOf({ columns, others }) {
  return { ticks: columns.time.length, past: columns.backfilled.filter(Boolean).length, others: others?.time.length ?? 0 };
}

function hasAll({ ticks, others }) {
  return ticks === 0 && others === 0;
}
