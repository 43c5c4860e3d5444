// Talks to the console: one stream of live updates, for the page that is shown, and single requests.
//
// Browsers give up a stream after an error reply, never notice a connection that died in a sleep, and allow six of them. So a
// stream that ends or falls silent is opened again, and a page that nobody sees has none.

import { setText } from "./dom.js";
import { counted, time } from "./format.js";
import { hideMarket, showMarket } from "./source.js";

/** The console sends something at least every 15 s. */
const SILENCE_MAX_MS = 40_000;
const REOPEN_MIN_MS = 1000;
const REOPEN_MAX_MS = 15_000;

const health = document.getElementById("health");
const healthText = document.getElementById("health-text");

function showHealth(state, text) {
  if (health.dataset.state !== state) health.dataset.state = state;
  setText(healthText, text);
  const isLost = state === "lost";
  // What is shown is of then, and stands still.
  document.body.classList.toggle("lost", isLost);
  if (isLost) hideMarket();
}

function showLost() {
  if (health.dataset.state === "lost") return;
  showHealth("lost", `No connection since ${time(Date.now()).slice(11)}`);
}

function showStatus(status) {
  const { ok, problems } = status;
  if (ok === null) showHealth("unknown", "Checking");
  else if (ok) showHealth("ok", "Healthy");
  else showHealth("wrong", counted(problems.length, "problem"));
  showMarket(status);
}

/**
 * Opens the stream with `parameters`, or with what they return then, and calls `handlers` by event name; a stream that was lost begins
 * anew after `reopening`. Returns a function that closes it.
 */
export function connect(parameters, handlers, reopening = () => {}) {
  let stream = null;
  let wait = REOPEN_MIN_MS;
  let timer = null;
  let closed = false;

  function open() {
    const asked = typeof parameters === "function" ? parameters() : parameters;
    stream = new EventSource("api/live?" + new URLSearchParams(asked));
    stream.addEventListener("error", () => {
      showLost();
      reopenIn(wait);
      wait = Math.min(2 * wait, REOPEN_MAX_MS);
    });
    for (const [name, handle] of Object.entries({ alive: () => {}, status: showStatus, ...handlers })) {
      stream.addEventListener(name, (event) => {
        wait = REOPEN_MIN_MS;
        watch();
        handle(event.data ? JSON.parse(event.data) : null);
      });
    }
    watch();
  }

  /** Takes silence for the end of the stream. */
  function watch() {
    clearTimeout(timer);
    timer = setTimeout(() => {
      showLost();
      reopenIn(0);
    }, SILENCE_MAX_MS);
  }

  function reopenIn(ms) {
    letGo();
    timer = setTimeout(() => {
      reopening();
      open();
    }, ms);
  }

  function letGo() {
    clearTimeout(timer);
    stream?.close();
    stream = null;
  }

  function seenOrNot() {
    if (closed) return;
    if (document.visibilityState === "hidden") letGo();
    else if (stream === null) reopenIn(0);
  }

  document.addEventListener("visibilitychange", seenOrNot);
  if (document.visibilityState !== "hidden") open();
  return () => {
    closed = true;
    document.removeEventListener("visibilitychange", seenOrNot);
    letGo();
  };
}

/** Asks for something. Throws an Error with a sentence for the reader if it fails. */
export async function ask(path, parameters = {}) {
  return answerOf(await send(path + "?" + new URLSearchParams(parameters)));
}

/** Has something changed. Throws as `ask` does. */
export async function post(path, change) {
  const response = await send(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(change) });
  if (response.status !== 204) await answerOf(response);
}

function send(path, options) {
  return fetch(path, options).catch(() => {
    throw new Error("The console cannot be reached: check that `coinlake up`, `demo` or `console` is still running, then reload this page.");
  });
}

async function answerOf(response) {
  const text = await response.text().catch(() => "");
  let answer = null;
  try {
    answer = JSON.parse(text);
  } catch {
    // A proxy has no sentence.
  }
  if (answer === null || !response.ok) {
    throw new Error(answer?.error ?? `The console answered with status ${response.status}: reload this page, or look at its log.`);
  }
  return answer;
}
