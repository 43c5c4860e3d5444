// The frame around the pages: navigation and colours.

import { h, nothing } from "./dom.js";
import { alertsPage } from "./alerts.js";
import { coinPage } from "./coin.js";
import { dataPage } from "./data.js";
import { marketPage } from "./market.js";
import { modelsPage } from "./models.js";
import { pipelinePage } from "./pipeline.js";

/** `show` fills `main` and returns a function that ends the page. `of` is the tab the page belongs to. */
const PAGES = {
  market: { title: "Market", show: marketPage },
  coin: { title: "Chart", of: "market", show: coinPage },
  alerts: { title: "Alerts", show: alertsPage },
  pipeline: { title: "Pipeline", show: pipelinePage },
  data: { title: "Data", show: dataPage },
  models: { title: "Models", show: modelsPage },
};

const NOT_FOUND = { title: "Not found", show: notFound };

const main = document.getElementById("main");
let leave = () => {};
let shown = "";

/** Parses the address: `#/coin/bitcoin?minutes=60` is the page `coin` with the path `["bitcoin"]`. */
function address() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const parts = path.split("/").filter(Boolean);
  const [name = "market", ...rest] = parts;
  return { name, path: rest.map(decode), query: new URLSearchParams(query) };
}

function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function show() {
  const { name, path, query } = address();
  const isKnown = Object.hasOwn(PAGES, name);
  const page = isKnown ? PAGES[name] : NOT_FOUND;
  leave();
  leave = () => {};
  main.replaceChildren();
  for (const link of document.querySelectorAll(".tabs a")) {
    const current = link.hash === `#/${page.of ?? name}`;
    if (current) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${(isKnown && path[0]) || page.title} · Coinlake`;
  main.dataset.page = name;
  leave = page.show(main, path, query) ?? (() => {});
  // For keyboards and screen readers, the focus moves to the new page. The first page needs no move.
  if (shown && shown !== location.hash) main.focus({ preventScroll: true });
  if (shown.split("?")[0] !== location.hash.split("?")[0]) scrollTo(0, 0);
  shown = location.hash || "#/";
}

function notFound() {
  main.append(h("h1", {}, "Not found"), nothing("There is no such page: the tabs lead to those there are."));
}

const THEMES = ["auto", "light", "dark"];
const SIGNS = { auto: "◐", light: "☀", dark: "☾" };
const themeButton = document.getElementById("theme");

function theme() {
  return document.documentElement.dataset.theme ?? "auto";
}

function labelTheme() {
  themeButton.replaceChildren(h("span", { "aria-hidden": "true" }, SIGNS[theme()]));
  themeButton.setAttribute("aria-label", `Colours: ${theme()}`);
  themeButton.title = `Colours: ${theme()}`;
}

themeButton.addEventListener("click", () => {
  const next = THEMES[(THEMES.indexOf(theme()) + 1) % THEMES.length];
  if (next === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = next;
  try {
    localStorage.setItem("theme", next);
  } catch {
    // Without storage the choice lasts as long as the page.
  }
  labelTheme();
  document.dispatchEvent(new Event("themechange"));
});

// The address stays that of the page.
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});

labelTheme();
addEventListener("hashchange", show);
show();
