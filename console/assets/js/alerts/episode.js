// An episode as a list item: its worst alert, what became of it, what a reader can do, and its alerts to unfold.

import { chartOf, factsOf, messageOf, ruleBadges, timeOf } from "./alert.js";
import { h } from "../dom.js";
import * as format from "../format.js";
import { whyOf } from "./why.js";

/** What became of alerts at a receiver, in the reader's words. */
const TOLD = {
  sent: ["sent", "The receiver took it"],
  waiting: ["being sent", "The receiver has not taken it yet: it is tried again"],
  held: ["held", "The coin or the rule had just had a message"],
  muted: ["muted", "The coin is muted, or the receiver wants none of this kind or severity"],
  failed: ["failed", "The receiver refused it, or it was too old when its turn came: the Pipeline page and the log say why"],
};

/** What an episode is. */
export const EPISODE = "An episode: alerts of one coin, or of one rule on it, that follow each other within 15 minutes";

const MUTES = [[60, "1 hour"], [8 * 60, "8 hours"], [24 * 60, "1 day"], [7 * 24 * 60, "7 days"]];

/**
 * `desk` says what may be done and which coins are muted; `act` does it. `isOpen` says by its class what is unfolded.
 */
export function episodeItem(episode, desk, act, isOpen) {
  const { subject, begin, end, alerts, coin } = episode;
  const worst = alerts[episode.worst];
  const muted = desk.mutes[coin] ?? null;
  const name = episode.symbol ? episode.symbol.toUpperCase() : coin;
  const builtIn = [...new Set(alerts.flatMap((alert) => alert.kinds))].filter((kind) => format.ruleOf(kind) === null);
  const kinds = subject === "" ? builtIn : [format.kindOfRule(subject)];
  const when = [h("time", { dateTime: new Date(begin).toISOString() }, format.time(begin))];
  if (end > begin) when.push(" to ", h("time", { dateTime: new Date(end).toISOString() }, format.timeAfter(end, begin)));
  return h("li", {
    className: "alert", "data-severity": worst.severity, "data-coin": coin, "data-subject": subject,
    "data-begin": begin, "data-end": end, "data-ticks": alerts.length, "data-done": episode.acknowledged || muted ? "true" : undefined,
  },
  h("span", { className: "severity" }, worst.severity),
  h("div", { className: "what" },
    h("p", { className: "message" }, ruleBadges(kinds), h("a", { href: chartOf(worst) }, h("strong", {}, name)), " ", messageOf(worst, name)),
    h("div", { className: "faint facts-line" }, h("span", {}, when), factsOf(worst, kinds).map((fact) => h("span", {}, fact)),
      toldOf(episode), ticksOf(episode, isOpen("unfold")), whyOf(alerts, kinds, isOpen("why")))),
  marksOf(episode, muted, desk, act));
}

/** What each receiver was told. */
function toldOf({ told }) {
  return Object.entries(told).map(([receiver, ends]) => {
    const parts = Object.entries(ends).map(([end, count]) => {
      const [word, title] = TOLD[end];
      return h("span", { title, "data-told": end }, `${word} ${format.count(count)}`);
    });
    return h("span", { className: "told" }, receiver === "default" ? "webhook: " : `${receiver}: `, parts.flatMap((part, i) => (i > 0 ? [", ", part] : [part])));
  });
}

function ticksOf({ alerts }, opened) {
  const ticks = h("details", { open: opened, className: "unfold" }, h("summary", { title: EPISODE }, format.counted(alerts.length, "alert")));
  const unfold = () => {
    if (!ticks.open || ticks.childElementCount > 1) return;
    ticks.append(h("ol", { className: "ticks" }, alerts.toReversed().map((alert) =>
      h("li", {}, h("a", { href: chartOf(alert) }, timeOf(alert)), ` ${[alert.severity, ...factsOf(alert, [])].join(", ")}: ${format.sentence(alert.message)}`))));
  };
  ticks.addEventListener("toggle", unfold);
  unfold();
  return ticks;
}

/** What was done about an episode, and the buttons to do it. */
function marksOf(episode, muted, desk, act) {
  const { coin, subject, begin, end, acknowledged } = episode;
  const marks = [];
  if (acknowledged) marks.push(h("span", { className: "done" }, "acknowledged"));
  if (muted) marks.push(h("span", { className: "done", title: `${coin} is muted` }, `muted until ${untilOf(muted)}`));
  if (!desk.writable) return marks.length > 0 ? h("div", { className: "marks" }, marks) : null;
  const name = episode.symbol ? episode.symbol.toUpperCase() : coin;
  const acknowledge = acknowledged
    ? button("Reopen", `Reopen the episode of ${name}`, () => act({ do: "reopen", coin, subject, begin, end }))
    : button("Acknowledge", `Acknowledge the episode of ${name}`, () => act({ do: "acknowledge", coin, subject, event_time: end }));
  const mute = muted ? button("Unmute", `Unmute ${name}`, () => act({ do: "unmute", coin })) : muteChoice(coin, name, act);
  return h("div", { className: "marks" }, marks, acknowledge, mute);
}

function muteChoice(coin, name, act) {
  const choice = h("select", { className: "small", "aria-label": `Mute ${name}` },
    h("option", { value: "" }, "Mute …"), MUTES.map(([minutes, text]) => h("option", { value: String(minutes) }, `for ${text}`)));
  choice.addEventListener("change", () => {
    if (choice.value !== "") act({ do: "mute", coin, minutes: Number(choice.value) });
  });
  return choice;
}

function button(text, label, onclick) {
  return h("button", { type: "button", className: "small", "aria-label": label, onclick }, text);
}

/** When a mute ends: the time alone if that is today. */
export function untilOf(ms) {
  return format.timeAfter(ms, Date.now()).slice(0, -3);
}
