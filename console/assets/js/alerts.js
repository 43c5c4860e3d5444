// The Alerts page: episodes, the newest live or those of a range of time, and what readers do about them.

import { barChart, SEVERITIES } from "./alerts/bars.js";
import { h, inNextFrame, nothing, setText, withCode } from "./dom.js";
import { EPISODE, episodeItem, untilOf } from "./alerts/episode.js";
import * as format from "./format.js";
import { ask, connect, post } from "./live.js";
import { rangeChoice } from "./alerts/range.js";
import { whileRead } from "./alerts/reading.js";
import { ruleSection } from "./alerts/rules.js";

const KINDS = ["price_spike", "price_move", "volume_spike"];
const STATES = [["", "all"], ["open", "open"]];
/** A reader who types is not done yet. */
const TYPING_MS = 250;
const NO_ALERTS = "No alerts yet. They appear here as soon as crypto-alerts has them; the Pipeline page says whether something is wrong. " +
  "`coinlake rules check` tries rules of your own on the past.";

export function alertsPage(main, _path, query) {
  let disconnect = () => {};
  let typing = null;
  let left = false;

  const options = (all, names) => [h("option", { value: "" }, all), ...names.map((n) => h("option", { value: n }, format.kind(n)))];
  const coin = h("input", { type: "search", id: "alert-coin", placeholder: "BTC or bitcoin", value: query.get("coin") ?? "", oninput: later });
  const severity = h("select", { id: "alert-severity", onchange: changed }, options("all severities", SEVERITIES));
  const kind = h("select", { id: "alert-kind", onchange: changed }, options("all kinds", KINDS));
  const state = h("select", { id: "alert-state", onchange: changed }, STATES.map(([value, text]) => h("option", { value }, text)));
  severity.value = SEVERITIES.includes(query.get("severity")) ? query.get("severity") : "";
  state.value = query.get("state") === "open" ? "open" : "";
  const range = rangeChoice(query, changed);
  let page = Math.max(1, Number(query.get("page")) || 1);
  const rules = ruleSection((names) => chooseKind(kind.value, names));
  chooseKind(query.get("kind") ?? "", []);
  const found = h("span", { title: EPISODE });
  const waiting = h("span");
  const count = h("p", { className: "summary" }, found, waiting);
  const counts = h("div");
  const mutes = h("p", { className: "mutes", hidden: true });
  const failed = h("p", { className: "alarm", role: "alert", hidden: true });
  const list = h("ol", { className: "alerts", "aria-label": "Episodes of alerts, newest first" });
  const pages = h("p", { className: "filters pages", hidden: true });
  const announced = h("p", { className: "unseen", "aria-live": "polite" });
  const empty = nothing(NO_ALERTS);
  empty.hidden = true;
  main.append(
    h("h1", {}, "Alerts"),
    h("form", { className: "filters", onsubmit: (event) => event.preventDefault() },
      h("label", {}, "Coin", coin), h("label", {}, "Worst severity", severity), h("label", {}, "Kind", kind), h("label", {}, "State", state), ...range.fields),
    rules.section, count, counts, mutes, failed, announced, list, pages, empty,
  );

  /** Offers the rules among the kinds, and chooses one. */
  function chooseKind(chosen, names) {
    const kinds = names.map(format.kindOfRule);
    if (chosen !== "" && !KINDS.includes(chosen) && !kinds.includes(chosen)) kinds.push(chosen);
    kind.replaceChildren(...options("all kinds", KINDS.concat(kinds)));
    kind.value = chosen;
  }

  function filters() {
    return { coin: coin.value.trim(), severity: severity.value, kind: kind.value, state: state.value };
  }

  function later() {
    clearTimeout(typing);
    typing = setTimeout(changed, TYPING_MS);
  }

  function changed() {
    page = 1;
    show();
  }

  /** Shows what is chosen, and writes it into the address, for links and for the way back. */
  function show() {
    clearTimeout(typing);
    const chosen = { ...filters(), ...range.chosen(), page: page > 1 ? String(page) : "" };
    const text = new URLSearchParams(Object.entries(chosen).filter(([, value]) => value !== "")).toString();
    history.replaceState(null, "", `#/alerts${text ? "?" + text : ""}`);
    open();
  }

  let items = new Map();
  let episodes = new Map();
  let ids = [];
  let desk = { writable: false, mutes: {} };

  const draw = inNextFrame(() => {
    const before = items;
    items = new Map();
    // Nothing moves below the pointer of a reader.
    const isRead = reading.is() && range.chosen() === null;
    const there = new Set(ids);
    const drawn = isRead ? [...before.keys()].filter((id) => there.has(id)) : ids;
    let waits = ids.length - drawn.length;
    let place = list.firstElementChild;
    for (const id of drawn) {
      const episode = episodes.get(id);
      const known = before.get(id);
      const mute = desk.mutes[episode.coin];
      const asBefore = known && known.mute === mute && known.writable === desk.writable;
      const isHeld = isRead && asBefore && known.episode.acknowledged === episode.acknowledged;
      const same = asBefore && (known.episode === episode || isHeld);
      if (same && known.episode !== episode) waits += 1;
      const item = same ? known.item : episodeItem(episode, desk, act, (part) => known?.item.querySelector(`.${part}`).open ?? false);
      if (known && !same) {
        if (place === known.item) place = item;
        known.item.replaceWith(item);
      }
      items.set(id, { item, episode: same ? known.episode : episode, mute, writable: desk.writable });
      if (item === place) place = place.nextElementSibling;
      else list.insertBefore(item, place);
    }
    while (place) {
      const next = place.nextElementSibling;
      place.remove();
      place = next;
    }
    empty.hidden = ids.length > 0;
    setText(waiting, waits > 0 ? `; ${format.count(waits)} new or changed, shown when you leave the list` : "");
    drawMutes();
  });
  const reading = whileRead(list, draw);

  function drawMutes() {
    const muted = Object.entries(desk.mutes);
    mutes.hidden = muted.length === 0;
    mutes.replaceChildren("Muted: ", ...muted.flatMap(([name, until], i) => [
      i > 0 ? ", " : "", h("strong", {}, name), ` until ${untilOf(until)} `,
      desk.writable ? h("button", { type: "button", className: "small", "aria-label": `Unmute ${name} again`, onclick: () => act({ do: "unmute", coin: name }) }, "Unmute") : "",
    ]));
  }

  function drawSummary({ alerts, episodes: all, counts: over }, rest) {
    if (alerts === 0 && range.chosen() === null) setText(found, "");
    else setText(found, `${format.counted(all, "episode")} among ${rest(format.counted(alerts, "alert"))}`);
    counts.replaceChildren(...(all > 0 ? [barChart(over, range.choose)] : []));
    empty.replaceChildren(...withCode(alerts > 0 ? "No alert matches the filters: choose fewer." : range.chosen() === null ? NO_ALERTS : "No alert in this time: choose a longer one."));
  }

  /** Does something about alerts; a page of the past is asked for again, and the live one is told. */
  async function act(change) {
    failed.hidden = true;
    try {
      await post("api/alerts", change);
      if (!left && range.chosen() !== null) await past();
    } catch (error) {
      setText(failed, error.message);
      failed.hidden = false;
    }
  }

  function take(fresh) {
    const kept = new Map(ids.map((id) => [id, episodes.get(id)]));
    for (const episode of fresh) kept.set(episode.id, episode);
    return kept;
  }

  function announce(fresh) {
    if (fresh.length === 0) return;
    const newest = fresh[0].alerts.at(-1);
    const more = fresh.length > 1 ? ` and ${fresh.length - 1} more` : "";
    setText(announced, `${newest.severity}: ${newest.message}${more}`);
  }

  function openLive() {
    let first = true;
    let seen = null;
    disconnect = connect({ page: "alerts", ...filters() }, {
      episodes: (now) => {
        const news = now.changed.filter(({ id, alerts }) => alerts.at(-1).alert_id !== episodes.get(id)?.alerts.at(-1).alert_id);
        episodes = take(now.changed);
        ids = now.ids;
        desk = now.desk;
        const shown = now.ids.length < now.summary.episodes ? `; the newest ${now.ids.length} are shown` : "";
        drawSummary(now.summary, (alerts) => `the newest ${alerts}${shown}`);
        // What receivers or readers did is nothing to announce.
        if (!first) announce(news);
        if (!first && seen !== now.summary.alerts) rules.refresh();
        first = false;
        seen = now.summary.alerts;
        draw();
      },
    }, () => {
      // The stream begins anew, and sends everything.
      [episodes, ids, first] = [new Map(), [], true];
    });
  }

  let asked = 0;
  async function past() {
    const nth = (asked += 1);
    const parameters = Object.entries({ ...filters(), ...range.chosen(), page: String(page) }).filter(([name, value]) => value !== "" && !(name === "minutes" && value === "all"));
    let now;
    try {
      now = await ask("api/alerts", Object.fromEntries(parameters));
    } catch (error) {
      if (left || nth !== asked) return;
      [ids, episodes] = [[], new Map()];
      draw();
      empty.replaceChildren(...withCode(error.message));
      return;
    }
    if (left || nth !== asked) return;
    episodes = new Map(now.episodes.map((episode) => [episode.id, episode]));
    ids = now.episodes.map((episode) => episode.id);
    desk = now.desk;
    page = now.page;
    const cut = now.complete ? "" : ", the newest of this time: choose a shorter one for the others";
    drawSummary(now.summary, (alerts) => `${alerts} from ${format.time(now.from)} to ${format.time(now.until)}${cut}`);
    drawPages(now);
    draw();
  }

  function drawPages({ pages: all }) {
    pages.hidden = all < 2;
    const go = (to) => () => {
      page = to;
      show();
      scrollTo(0, 0);
    };
    pages.replaceChildren(
      h("button", { type: "button", disabled: page <= 1, onclick: go(page - 1) }, "Newer"),
      h("span", { className: "faint" }, `Page ${page} of ${format.count(all)}`),
      h("button", { type: "button", disabled: page >= all, onclick: go(page + 1) }, "Older"));
  }

  function open() {
    disconnect();
    asked += 1;
    [episodes, ids] = [new Map(), []];
    reading.end();
    pages.hidden = true;
    if (range.chosen() === null) openLive();
    else {
      disconnect = connect({ page: "other" }, {});
      past();
    }
  }

  open();
  return () => {
    left = true;
    clearTimeout(typing);
    disconnect();
    reading.end();
    draw.cancel();
  };
}
