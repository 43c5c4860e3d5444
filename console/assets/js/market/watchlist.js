// The coins that the reader watches. Their browser keeps them, nobody else knows.

import { h, setAttribute, setText } from "../dom.js";

const KEY = "watched";
let coins = new Set(read());

function read() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return Array.isArray(kept) ? kept.filter((coin) => typeof coin === "string") : [];
  } catch {
    return [];
  }
}

export function isWatched(coin) {
  return coins.has(coin);
}

/** Whether any coin is watched. */
export function watchesAny() {
  return coins.size > 0;
}

/** A star to press. `changed` is called after it was. */
export function star(coin, changed) {
  const sign = h("span", { "aria-hidden": "true" });
  const button = h("button", { type: "button", className: "star", "aria-label": `Watch ${coin}`, onclick: () => {
    if (!coins.delete(coin)) coins.add(coin);
    try {
      localStorage.setItem(KEY, JSON.stringify([...coins]));
    } catch {
      // Without storage the choice lasts as long as the page.
    }
    show();
    changed();
  } }, sign);
  function show() {
    setText(sign, coins.has(coin) ? "★" : "☆");
    setAttribute(button, "aria-pressed", String(coins.has(coin)));
  }
  show();
  return { button, show };
}

/** Calls `changed` when another tab has changed the list. Returns a function that stops this. */
export function onWatchlistChange(changed) {
  const listen = ({ key }) => {
    if (key !== KEY && key !== null) return;
    coins = new Set(read());
    changed();
  };
  addEventListener("storage", listen);
  return () => removeEventListener("storage", listen);
}
