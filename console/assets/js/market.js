// The Market page: a row for each coin.
//
// Hundreds of coins change several times a second. Changes wait for the next frame, which writes only the rows in view. A
// row that comes into view is updated first.

import { colour, h, inNextFrame, nothing, onThemeChange, setAttribute, setText } from "./dom.js";
import * as format from "./format.js";
import { connect } from "./live.js";
import * as spark from "./spark.js";

const SORT_INTERVAL_MS = 2000;
const AGEING_INTERVAL_MS = 10_000;

/** `of` is the field. Narrow screens hide `wide` columns. */
const COLUMNS = [
  { name: "Coin", of: "coin", text: true },
  { name: "Price, USD", of: "price", show: format.price },
  { name: "1 min", of: "return_1m", show: format.change, signed: true, wide: true },
  { name: "5 min", of: "return_5m", show: format.change, signed: true, wide: true },
  { name: "15 min", of: "return_15m", show: format.change, signed: true },
  { name: "Last hour", spark: true },
  { name: "z-score", of: "zscore_15m", show: (v) => format.decimal(v, 1), alarming: (v) => Math.abs(v) > 3, wide: true,
    title: "Distance of the price from its recent mean, in standard deviations" },
  { name: "Surge", of: "volume_surge", show: (v) => format.decimal(v, 1), alarming: (v) => v > 3, wide: true,
    title: "Volume traded in the last minutes, relative to the average of the last 24 hours" },
  { name: "Anomaly ahead", of: "anomaly_probability", show: format.probability, bar: true, wide: true,
    title: "Probability that an episode of warnings begins within 15 minutes, from the model in production" },
  { name: "Trend up", of: "trend_up_probability", show: format.probability, bar: true, wide: true,
    title: "Probability that the price is higher in 15 minutes, from the model in production" },
  { name: "Tick", of: "event_time", show: format.age, wide: true,
    title: "Age of the newest tick, by the time that CoinGecko gives it" },
  { name: "Market cap", of: "market_cap", show: format.count, wide: true, title: "Market capitalization in USD" },
];

export function marketPage(main) {
  const rows = new Map();
  let order = { of: "market_cap", descending: true };
  let sortedAt = 0;
  let wanted = "";
  let ink = readInk();
  const stale = new Set();

  const summary = h("p", { className: "summary", id: "market-summary" });
  const filter = h("input", {
    type: "search", placeholder: "Find a coin", "aria-label": "Find a coin", oninput: () => {
      wanted = filter.value.trim().toLowerCase();
      for (const row of rows.values()) applyFilter(row);
    },
  });
  const headers = COLUMNS.map((column) => {
    const cell = h("th", { role: "columnheader", scope: "col", className: classOf(column), title: column.title ?? "", "data-of": column.of });
    if (!column.of) cell.append(column.name);
    else cell.append(h("button", { type: "button", onclick: () => sortBy(column) }, column.name));
    return cell;
  });
  // Rows are laid out as grids, so browsers need roles to see a table.
  const body = h("tbody", { role: "rowgroup" });
  const table = h("table", { role: "table", className: "market", "aria-describedby": "market-summary" },
    h("caption", { className: "unseen" }, "Every coin, live"),
    h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, headers)), body);
  const waiting = nothing("Waiting for the first record in crypto-features.");
  main.append(
    h("div", { className: "title" }, h("h1", {}, "Market"), filter), summary, waiting,
    h("div", { className: "scroll", hidden: true }, table),
  );
  const scroll = table.parentElement;

  const inView = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      const row = entry.target.row;
      row.visible = entry.isIntersecting;
      if (row.visible && row.outdated) {
        stale.add(row);
        draw();
      }
    }
  }, { rootMargin: "150px" });

  const draw = inNextFrame(() => {
    for (const row of stale) write(row);
    stale.clear();
    sortIfDue();
    writeSummary();
  });

  function classOf(column) {
    return [column.text ? "text" : column.spark ? "spark" : "number", column.wide ? "wide" : ""].join(" ").trim();
  }

  function rowOf(coin) {
    let row = rows.get(coin);
    if (row) return row;
    const symbol = h("strong");
    const name = h("span", { className: "faint" });
    const link = h("a", { href: `#/coin/${encodeURIComponent(coin)}` }, symbol, name);
    const canvas = h("canvas", { className: "sparkline", role: "img", "aria-label": "" });
    const cells = COLUMNS.map((column) => {
      if (column.text) return h("th", { role: "rowheader", scope: "row", className: "text" }, link);
      if (column.spark) return h("td", { role: "cell", className: "spark" }, canvas);
      return h("td", { role: "cell", className: classOf(column) }, h("data"));
    });
    const tr = h("tr", { role: "row" }, cells);
    row = { coin, now: {}, before: null, spark: [], symbol, name, canvas, cells, tr, visible: false, outdated: true };
    tr.row = row;
    rows.set(coin, row);
    applyFilter(row);
    body.append(tr);
    inView.observe(tr);
    return row;
  }

  function applyFilter(row) {
    const text = `${row.coin} ${row.now.symbol ?? ""}`.toLowerCase();
    row.tr.hidden = wanted !== "" && !text.includes(wanted);
  }

  function take(change) {
    const row = rowOf(change.coin);
    row.before = row.now.price ?? null;
    row.now = change;
    if (change.spark) row.spark = change.spark;
    else spark.push(row.spark, change.event_time, change.price);
    row.outdated = true;
    if (row.visible) stale.add(row);
  }

  function write(row) {
    row.outdated = false;
    const { now } = row;
    setText(row.symbol, now.symbol.toUpperCase());
    setText(row.name, now.coin);
    COLUMNS.forEach((column, index) => {
      if (!column.show) return;
      const value = now[column.of];
      const cell = row.cells[index];
      const data = cell.firstChild;
      setText(data, column.show(value));
      setAttribute(data, "value", value === null ? "" : String(value));
      let look = "";
      if (column.signed && value) look = value > 0 ? "up" : "down";
      if (column.alarming && value !== null && column.alarming(value)) look = "alarming";
      if (column.of === "price" && row.before !== null && row.before !== value) look = value > row.before ? "up" : "down";
      if (data.className !== look) data.className = look;
      if (column.bar) cell.style.setProperty("--share", value ?? 0);
    });
    spark.draw(row.canvas, row.spark, ink);
    setAttribute(row.canvas, "aria-label", spark.inWords(row.spark));
  }

  function writeSummary() {
    let newest = 0;
    let up = 0;
    let down = 0;
    for (const { now } of rows.values()) {
      if (now.event_time > newest) newest = now.event_time;
      if (now.return_15m > 0) up += 1;
      if (now.return_15m < 0) down += 1;
    }
    setText(summary, `${format.counted(rows.size, "coin")} at ${format.time(newest)}: ${up} up, ${down} down in 15 minutes`);
  }

  function sortBy(column) {
    const again = order.of === column.of;
    order = { of: column.of, descending: again ? !order.descending : !column.text };
    sort();
  }

  function sortIfDue() {
    // Rows do not move under the pointer or the keyboard's focus.
    const busy = body.matches(":hover") || body.contains(document.activeElement);
    if (!busy && performance.now() - sortedAt > SORT_INTERVAL_MS) sort();
  }

  function sort() {
    sortedAt = performance.now();
    COLUMNS.forEach((column, index) => {
      const way = order.descending ? "descending" : "ascending";
      setAttribute(headers[index], "aria-sort", column.of === order.of ? way : "none");
    });
    const sign = order.descending ? -1 : 1;
    const sorted = [...rows.values()].sort((a, b) => {
      const [left, right] = [a.now[order.of], b.now[order.of]];
      if (left === right) return a.coin < b.coin ? -1 : 1;
      // Coins without a value come last in both directions.
      if (left === null) return 1;
      if (right === null) return -1;
      return left < right ? -sign : sign;
    });
    let place = body.firstChild;
    for (const { tr } of sorted) {
      if (tr === place) place = place.nextSibling;
      else body.insertBefore(tr, place);
    }
  }

  function takeAll(changes) {
    changes.forEach(take);
    if (rows.size > 0 && scroll.hidden) {
      waiting.remove();
      scroll.hidden = false;
      sort();
    }
    draw();
  }

  // Ages grow by themselves.
  const ageing = setInterval(() => {
    for (const row of rows.values()) {
      row.outdated = true;
      if (row.visible) stale.add(row);
    }
    draw();
  }, AGEING_INTERVAL_MS);
  const disconnect = connect({ page: "market" }, { coins: takeAll, changes: takeAll });
  const unlisten = onThemeChange(() => {
    ink = readInk();
    for (const row of rows.values()) {
      row.outdated = true;
      if (row.visible) stale.add(row);
    }
    draw();
  });
  return () => {
    clearInterval(ageing);
    disconnect();
    unlisten();
    inView.disconnect();
    draw.cancel();
  };
}

function readInk() {
  return { up: colour("--up"), down: colour("--down"), upFill: colour("--up-soft"), downFill: colour("--down-soft") };
}
