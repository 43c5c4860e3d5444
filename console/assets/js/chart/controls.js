// What a reader chooses on the chart page. Every choice is an address.

import { h, setText } from "../dom.js";
import { ask } from "../live.js";
import { dateField } from "../format.js";
import { addressOf, RANGES, readDate } from "./address.js";

/** A row of links of which one is chosen. */
function links(label, entries) {
  return h("nav", { className: "ranges", "aria-label": label }, entries.map(([name, href, isChosen]) =>
    h("a", { href, "aria-current": isChosen ? "true" : undefined }, name)));
}

export function rangeLinks(view) {
  return links("Time range", RANGES.map(([minutes, name]) =>
    [name, addressOf({ ...view, minutes, from: null, to: null }), view.from === null && minutes === view.minutes]));
}

export function kindLinks(view) {
  return links("Kind of chart", [
    ["Line", addressOf({ ...view, candles: false }), !view.candles],
    ["Candles", addressOf({ ...view, candles: true }), view.candles],
  ]);
}

/** Fields for dates, a second coin, and a button for a file. `showDates` fills in what is shown. */
export function moreControls(view, download) {
  const from = h("input", { type: "datetime-local", required: true });
  const to = h("input", { type: "datetime-local", title: "Without it, the chart goes on with the newest ticks" });
  const wrong = h("p", { className: "old", role: "alert" });
  const dates = h("form", { className: "filters", onsubmit: (event) => {
    event.preventDefault();
    const [first, last] = [readDate(from.value), readDate(to.value)];
    if (first === null) setText(wrong, "Give a first date.");
    else if (last !== null && first >= last) setText(wrong, "The first date must be before the last.");
    else location.hash = addressOf({ ...view, at: null, from: first, to: last });
  } }, h("label", {}, "From (UTC)", from), h("label", {}, "To (UTC)", to), h("button", {}, "Show dates"));

  const names = h("datalist", { id: "coins" });
  const other = h("input", { type: "search", list: "coins", placeholder: "ethereum", value: view.other, autocomplete: "off" });
  let coins = [];
  const compare = h("form", { className: "filters", onsubmit: (event) => {
    event.preventDefault();
    location.hash = addressOf({ ...view, other: idOf(coins, other.value.trim()) });
  } }, h("label", {}, "Compare with", other), names, h("button", {}, "Compare"),
  view.other === "" ? null : h("a", { className: "end", href: addressOf({ ...view, other: "" }) }, "End comparison"));
  ask("api/coins").then((all) => {
    coins = all.filter(({ coin }) => coin !== view.coin);
    names.replaceChildren(...coins.map(({ coin, symbol, name }) => h("option", { value: coin }, name ?? symbol.toUpperCase())));
  }, () => {});

  const file = h("button", { type: "button", onclick: download }, "Download CSV");
  const whole = h("details", { className: "more", open: view.from !== null || view.other !== "" },
    h("summary", {}, "Dates, comparison, download"), h("div", { className: "choices-row" }, dates, compare, file), wrong);
  return {
    whole,
    showDates: (first, last) => {
      if (dates.contains(document.activeElement)) return;
      from.value = dateField(view.from ?? first);
      to.value = view.from !== null && view.to === null ? "" : dateField(view.to ?? last);
    },
  };
}

/** The id that a reader means by an id, a symbol or a name. */
function idOf(coins, text) {
  const wanted = text.toLowerCase();
  const is = (value) => value?.toLowerCase() === wanted;
  const found = coins.find(({ coin }) => is(coin)) ?? coins.find(({ symbol }) => is(symbol)) ?? coins.find(({ name }) => is(name));
  return found?.coin ?? text;
}
