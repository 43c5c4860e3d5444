// Talks to the console: one stream of live updates, for the page that is shown, and single requests.

import { setText } from "./dom.js";
import { counted } from "./format.js";

const health = document.getElementById("health");
const healthText = document.getElementById("health-text");

function showHealth(state, text) {
  if (health.dataset.state !== state) health.dataset.state = state;
  setText(healthText, text);
}

/** Opens the stream and calls `handlers` by event name. Returns a function that closes it. */
export function connect(parameters, handlers) {
  const stream = new EventSource("/api/live?" + new URLSearchParams(parameters));
  stream.addEventListener("error", () => showHealth("lost", "console unreachable"));
  stream.addEventListener("status", (event) => {
    const { ok, problems } = JSON.parse(event.data);
    if (ok === null) showHealth("unknown", "checking");
    else if (ok) showHealth("ok", "healthy");
    else showHealth("wrong", counted(problems.length, "problem"));
  });
  for (const [name, handle] of Object.entries(handlers)) {
    stream.addEventListener(name, (event) => handle(JSON.parse(event.data)));
  }
  return () => stream.close();
}

/** Sends one request. Throws an Error with the console's sentence if it fails. */
export async function ask(path, parameters = {}) {
  const response = await fetch(path + "?" + new URLSearchParams(parameters));
  const answer = await response.json().catch(() => ({ error: `the console answered with status ${response.status}` }));
  if (!response.ok) throw new Error(answer.error);
  return answer;
}
