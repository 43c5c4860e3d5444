// The stream of live updates. There is one at a time, that of the page that is shown.

import { setText } from "./dom.js";

const health = document.getElementById("health");
const healthText = document.getElementById("health-text");

function showHealth(state, text) {
  if (health.dataset.state !== state) health.dataset.state = state;
  setText(healthText, text);
}

/** Listens with `handlers`, by event name; returns what ends it. */
export function connect(parameters, handlers) {
  const stream = new EventSource("/api/live?" + new URLSearchParams(parameters));
  stream.addEventListener("error", () => showHealth("lost", "console is not reachable"));
  stream.addEventListener("status", (event) => {
    const { ok, problems } = JSON.parse(event.data);
    if (ok === null) showHealth("unknown", "looking");
    else if (ok) showHealth("ok", "all well");
    else showHealth("wrong", problems.length === 1 ? "1 problem" : `${problems.length} problems`);
  });
  for (const [name, handle] of Object.entries(handlers)) {
    stream.addEventListener(name, (event) => handle(JSON.parse(event.data)));
  }
  return () => stream.close();
}

/** Asks once; what cannot be answered is an Error with a sentence. */
export async function ask(path, parameters = {}) {
  const response = await fetch(path + "?" + new URLSearchParams(parameters));
  const answer = await response.json().catch(() => ({ error: `the console answers with status ${response.status}` }));
  if (!response.ok) throw new Error(answer.error);
  return answer;
}
