// The Market page: a row for each coin.
//
// Hundreds of coins change several times a second. Changes wait for the next frame, which writes only the rows in view. A
// row that comes into view is updated first.

import { colour, h, inNextFrame, nothing, onThemeChange, setAttribute, setText, withCode } from "./dom.js";
import * as format from "./format.js";
import { ask, connect } from "./live.js";
import { addressOf, COLUMNS, readChoice, sorted } from "./market/columns.js";
import { isWatched, onWatchlistChange, star, watchesAny } from "./market/watchlist.js";
import { agePhrase, isOld, onSourceChange } from "./source.js";
import * as spark from "./spark.js";

const SORT_INTERVAL_MS = 2000;
const AGEING_INTERVAL_MS = 10_000;
const NO_PRICES = "No prices yet: they appear with the first record of crypto-features, within a minute of a start. If they do not, the Pipeline page says what is missing.";

export function marketPage(main, _path, query) {
  const rows = new Map();
  let { order, wanted, onlyWatched } = readChoice(query);
  let sortedAt = 0;
  let version = 0;
  let left = false;
  let disconnect = () => {};
  let ink = readInk();
  const stale = new Set();

  const summary = h("p", { className: "summary", id: "market-summary" });
  const filter = h("input", {
    type: "search", placeholder: "Find a coin", "aria-label": "Find a coin", value: query.get("find") ?? "", oninput: () => {
      wanted = filter.value.trim().toLowerCase();
      choose();
    },
  });
  const watchedOnly = h("button", { type: "button", "aria-pressed": String(onlyWatched), onclick: () => {
    onlyWatched = !onlyWatched;
    choose();
  } }, "★ Watched");
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
  const why = h("span");
  const unmatched = h("p", { className: "nothing", hidden: true }, why, " ", h("button", { type: "button", onclick: () => {
    wanted = filter.value = "";
    onlyWatched = false;
    choose();
  } }, "Show all coins"));
  const waiting = nothing(NO_PRICES);
  main.append(
    h("div", { className: "title" }, h("h1", {}, "Market"), h("div", { className: "switches" }, watchedOnly, filter)), summary, waiting,
    h("div", { className: "scroll market-holder", hidden: true }, table), unmatched,
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
    return [column.text ? "text" : column.spark ? "spark" : "number", column.room ?? ""].join(" ").trim();
  }

  function rowOf(coin) {
    let row = rows.get(coin);
    if (row) return row;
    const symbol = h("strong");
    const name = h("span", { className: "faint" });
    const link = h("a", { href: `#/coin/${encodeURIComponent(coin)}`, title: coin }, symbol, name);
    const mark = star(coin, choose);
    const canvas = h("canvas", { className: "sparkline", role: "img", "aria-label": "" });
    const cells = COLUMNS.map((column) => {
      if (column.text) return h("th", { role: "rowheader", scope: "row", className: "text" }, mark.button, link);
      if (column.spark) return h("td", { role: "cell", className: "spark" }, canvas);
      return h("td", { role: "cell", className: classOf(column) }, h("data"));
    });
    const tr = h("tr", { role: "row", "data-coin": coin }, cells);
    row = { coin, now: {}, before: null, spark: [], symbol, name, mark, canvas, cells, tr, visible: false, outdated: true };
    tr.row = row;
    rows.set(coin, row);
    body.append(tr);
    inView.observe(tr);
    return row;
  }

  function applyFilter(row) {
    const { symbol, name } = row.now;
    const text = `${row.coin} ${symbol} ${name ?? ""}`.toLowerCase();
    row.tr.hidden = !text.includes(wanted) || (onlyWatched && !isWatched(row.coin));
  }

  /** Shows what is looked for, and writes order and filters into the address, for links and for the way back. */
  function choose() {
    filterAll();
    setAttribute(watchedOnly, "aria-pressed", String(onlyWatched));
    history.replaceState(null, "", addressOf({ order, wanted, onlyWatched }));
  }

  function filterAll() {
    for (const row of rows.values()) applyFilter(row);
    const matches = [...rows.values()].some(({ tr }) => !tr.hidden);
    unmatched.hidden = matches || rows.size === 0;
    scroll.hidden = !matches;
    setText(why, whyNothing());
  }

  function whyNothing() {
    if (onlyWatched && !watchesAny()) return "You watch no coin yet: the star beside a coin makes it one of yours.";
    const among = onlyWatched ? "coin that you watch" : "coin";
    if (wanted === "") return "No coin that you watch is in this market.";
    return `No ${among} matches “${wanted}”: type a part of a name, a symbol or a CoinGecko id, such as bitcoin or btc.`;
  }

  function take(change) {
    const row = rowOf(change.coin);
    // A stream may have been quicker than the whole.
    if (row.now.event_time > change.event_time) return;
    row.before = row.now.price ?? null;
    row.now = change;
    if (change.spark) row.spark = spark.unpack(change.spark);
    else spark.push(row.spark, change.event_time, change.price);
    row.outdated = true;
    if (row.visible) stale.add(row);
  }

  function write(row) {
    row.outdated = false;
    const { now } = row;
    row.tr.classList.toggle("old", isOld(now.event_time));
    setText(row.symbol, now.symbol.toUpperCase());
    setText(row.name, now.name ?? now.coin);
    COLUMNS.forEach((column, index) => {
      if (!column.show) return;
      const value = now[column.of];
      const cell = row.cells[index];
      const data = cell.firstChild;
      setText(data, column.show(value));
      if (column.exact) setAttribute(data, "title", value === null ? "" : format.money(String(value)));
      setAttribute(data, "value", value === null ? "" : String(value));
      let look = "";
      if (column.signed && value && column.show(value) !== format.change(0)) look = value > 0 ? "up" : "down";
      if (column.alarming && value !== null && column.alarming(value)) look = "alarming";
      if (column.old?.(value)) look = "old";
      if (column.of === "price" && row.before !== null && row.before !== value) look = value > row.before ? "up" : "down";
      if (data.className !== look) data.className = look;
      if (column.bar) cell.style.setProperty("--share", value ?? 0);
    });
    spark.draw(row.canvas, row.spark, ink);
    setAttribute(row.canvas, "aria-label", spark.inWords(row.spark));
  }

  function writeSummary() {
    if (rows.size === 0) return;
    let newest = 0;
    let up = 0;
    let down = 0;
    let old = 0;
    let most = null;
    let mostLately = null;
    let isSortable = false;
    for (const { now } of rows.values()) {
      newest = Math.max(newest, now.event_time);
      isSortable ||= (now[order.of] ?? null) !== null;
      if (isOld(now.event_time)) {
        old += 1;
        continue;
      }
      if (now.return_15m > 0) up += 1;
      if (now.return_15m < 0) down += 1;
      if (now.change_24h_pct !== null && Math.abs(now.change_24h_pct) > Math.abs(most?.change_24h_pct ?? 0)) most = now;
      if (now.return_15m !== null && Math.abs(now.return_15m) > Math.abs(mostLately?.return_15m ?? 0)) mostLately = now;
    }
    const stands = old === 0 ? "" : `, ${format.counted(old, "coin")} without a tick in 10 minutes`;
    // A market's first day has no change of 24 hours yet.
    let moved = "";
    if (most !== null) moved = `; ${most.symbol.toUpperCase()} moved most in 24 h, ${format.change(most.change_24h_pct / 100)}`;
    else if (mostLately !== null) moved = `; ${mostLately.symbol.toUpperCase()} moved most in 15 minutes, ${format.change(mostLately.return_15m)}`;
    const unsortable = isSortable ? "" : `; no coin has a value for “${COLUMNS.find(({ of }) => of === order.of).name}” yet`;
    setText(summary, `${format.counted(rows.size, "coin")}, newest tick ${format.time(newest)}${agePhrase(newest)}${stands}: ${up} up, ${down} down in 15 minutes${moved}${unsortable}`);
  }

  function sortBy(column) {
    const again = order.of === column.of;
    order = { of: column.of, descending: again ? !order.descending : !column.text };
    sort();
    choose();
    writeSummary();
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
    let place = body.firstChild;
    for (const { tr } of sorted(rows.values(), order)) {
      if (tr === place) place = place.nextSibling;
      else body.insertBefore(tr, place);
    }
  }

  function takeAll(changes) {
    const before = rows.size;
    changes.forEach(take);
    if (rows.size === 0) return;
    waiting.remove();
    if (before === 0) sort();
    if (rows.size !== before || wanted !== "" || onlyWatched) filterAll();
    draw();
  }

  function rewriteAll() {
    for (const row of rows.values()) {
      row.outdated = true;
      if (row.visible) stale.add(row);
    }
    draw();
  }

  const load = () => ask("api/market").then((now) => {
    if (left) return;
    setText(waiting, NO_PRICES);
    version = Math.max(version, now.version);
    takeAll(now.rows);
  });

  // What came while the stream was lost is in the whole.
  const listen = () => {
    if (!left) disconnect = connect(() => ({ page: "market", version }), { changes: takeAll }, () => load().catch(() => {}));
  };
  load().then(listen, (error) => {
    waiting.replaceChildren(...withCode(error.message));
    listen();
  });
  // Ages grow by themselves.
  const ageing = setInterval(rewriteAll, AGEING_INTERVAL_MS);
  const unlisten = [
    onSourceChange(rewriteAll),
    onWatchlistChange(() => {
      for (const row of rows.values()) row.mark.show();
      filterAll();
    }),
    onThemeChange(() => {
      ink = readInk();
      rewriteAll();
    }),
  ];
  return () => {
    left = true;
    clearInterval(ageing);
    disconnect();
    unlisten.forEach((stop) => stop());
    inView.disconnect();
    draw.cancel();
  };
}

function readInk() {
  return { up: colour("--up"), down: colour("--down"), upFill: colour("--up-soft"), downFill: colour("--down-soft") };
}
