// The Pipeline page: how data flows. Topics, stages and layers are cards, and arrows run between them.

import { h, inNextFrame, setText, svg } from "./dom.js";
import * as format from "./format.js";
import { connect } from "./live.js";
import { hourSection } from "./pipeline/hour.js";
import { facts, sourceInBrief, sourceName } from "./source.js";

/** The dots on arrows move ten times a second: an animation of the browser's own draws sixty times, which costs more than all else. */
const STEP_MS = 100;
const STEP_PIXELS = 1.6;
/** A multiple of the dots' distance, however quick they are. */
const ROUND_PIXELS = 160;
/** Pixels from a card's left edge to an arrow that leaves it downwards. */
const DOWN = 18;
/** Pixels in which an arrow to the right reaches the height of its end. */
const BEND = 70;
/** The SmartModule that holds the models. */
const MODEL_SERVER = "crypto-predict";

export function pipelinePage(main) {
  let plan = "";
  let flow = null;
  let cards = new Map();
  let edges = [];

  const inBrief = h("p", { className: "summary", hidden: true });
  const problems = h("ul", { className: "problems", "aria-label": "Problems", "aria-live": "polite" });
  const drawing = h("div", { className: "pipeline" });
  const reasons = h("table", { className: "plain" });
  const rejected = h("section", { hidden: true }, h("h2", {}, "Why records are rejected"), reasons);
  const stages = h("table", { className: "plain" });
  const source = h("dl", { className: "facts" });
  const untold = h("p", { className: "faint", hidden: true },
    "Replies and calls are counted by the source: only the console of `coinlake up` and `coinlake demo`, which runs in its process, shows them.");
  const noTimes = h("p", { className: "faint", hidden: true },
    "SmartModule times are known only to the console of `coinlake up` and `coinlake demo`, which runs in the broker's process.");
  const hour = hourSection();
  main.append(h("h1", {}, "Pipeline"), inBrief, problems, drawing,
    h("h2", {}, "Stages"), h("p", { className: "faint" }, "Lag: records of the stage's input that are not in the lake yet."), h("div", { className: "scroll", tabIndex: 0, role: "region", "aria-label": "Stages" }, stages),
    noTimes, hour.section, h("h2", {}, "Source"), source, untold, rejected);

  const draw = inNextFrame(() => {
    const newPlan = JSON.stringify(flow.stages);
    if (newPlan !== plan) {
      plan = newPlan;
      build();
    }
    write();
  });

  /** Builds a block for each input topic: the topic, the stages that read it, and where each of them writes. */
  function build() {
    cards = new Map();
    edges = [];
    const arrows = svg("svg", { class: "arrows", "aria-hidden": "true" });
    drawing.replaceChildren(arrows);
    const source = card("source", "source", "CoinGecko", "polled by coingecko-source");
    drawing.append(h("div", { className: "row first" }, source));
    const inputs = [...new Set(flow.stages.map((stage) => stage.input))];
    for (const input of inputs) {
      const own = flow.stages.filter((stage) => stage.input === input);
      const block = h("div", { className: "row" }, topicCard(input, true));
      const lanes = h("div", { className: "lanes" });
      for (const stage of own) {
        const outputs = h("div", { className: "outputs" });
        lanes.append(h("div", { className: "lane" }, stageCard(stage), outputs));
        edge(`topic ${input}`, `stage ${stage.name}`, () => rateOf(input));
        for (const { topic, layer } of stage.destinations) {
          if (topic) {
            // A topic that stages read has a block of its own further down.
            outputs.append(inputs.includes(topic) ? topicCard(topic, false) : topicCard(topic, true));
            edge(`stage ${stage.name}`, `topic ${topic}${inputs.includes(topic) ? " here" : ""}`, () => rateOf(topic));
          }
          if (layer) {
            outputs.append(card(`layer ${layer}`, "layer", `lake/${layer}`, ""));
            edge(`stage ${stage.name}`, `layer ${layer}`, () => rateOf(topic ?? input), !topic);
          }
        }
      }
      block.append(lanes);
      drawing.append(block);
    }
    if (inputs.length > 0) edge("source", `topic ${inputs[0]}`, () => rateOf(inputs[0]));
    for (const { paths, label } of edges) {
      arrows.append(...paths);
      if (label) arrows.append(label);
    }
    measured.observe(drawing);
  }

  function topicCard(name, place) {
    return card(`topic ${name}${place ? "" : " here"}`, "topic", name, "");
  }

  function stageCard(stage) {
    const what = stage.smartmodules.length > 0 ? `[${stage.smartmodules.join(", ")}]` : "no SmartModule";
    const pace = h("span", { className: "faint pace" });
    const models = stage.smartmodules.includes(MODEL_SERVER) ? h("span", { className: "faint" }) : null;
    const element = card(`stage ${stage.name}`, "stage", stage.name, "", h("span", {}, h("code", {}, what), pace), models);
    Object.assign(cards.get(`stage ${stage.name}`), { pace, models });
    return element;
  }

  function card(key, kind, name, note, ...more) {
    const text = h("span", { className: "faint" }, note);
    // Visible where arrows have no labels; screen readers find it everywhere.
    const speed = kind === "topic" ? h("span", { className: "faint speed" }) : null;
    const alarm = h("span", { className: "alarm", hidden: true });
    const link = kind === "topic" ? `#/data/topics/${encodeURIComponent(name)}`
      : kind === "layer" ? `#/data/lake/${encodeURIComponent(name.replace("lake/", ""))}` : null;
    const title = link ? h("a", { href: link }, name) : h("span", {}, name);
    const element = h("div", { className: `card ${kind}` }, h("strong", {}, title), ...more, text, speed, alarm);
    cards.set(key, { element, title, text, speed, alarm });
    return element;
  }

  function edge(from, to, rate, labelled = true) {
    const paths = [svg("path", { class: "arrow" }), svg("path", { class: "moving" })];
    const label = labelled ? svg("text", { class: "rate" }) : null;
    edges.push({ from, to, rate, paths, label });
  }

  function topicOf(name) {
    return flow.topics.find((topic) => topic.name === name);
  }

  function rateOf(name) {
    return topicOf(name)?.records_per_second ?? null;
  }

  function write() {
    const survey = flow.survey;
    for (const { name, end, records_per_second } of flow.topics) {
      for (const key of [`topic ${name}`, `topic ${name} here`]) {
        const found = cards.get(key);
        if (!found) continue;
        setText(found.text, format.counted(end, "record"));
        setText(found.speed, format.rate(records_per_second));
      }
    }
    for (const { name, files, bytes } of survey?.lake ?? []) {
      const found = cards.get(`layer ${name}`);
      if (found) setText(found.text, `${format.counted(files, "file")}, ${format.bytes(bytes)}`);
    }
    for (const stage of flow.stages) {
      const parts = (survey?.stages ?? []).filter((part) => part.name === stage.name);
      if (parts.length === 0) continue;
      const lag = parts.reduce((sum, part) => sum + part.lag, 0);
      const { text, pace, models } = cards.get(`stage ${stage.name}`);
      setText(text, `lag ${format.count(lag)}, ${lastCommit(parts)}`);
      const seconds = secondsPerRecord(stage.name);
      setText(pace, seconds === null ? "" : `${format.brief(seconds)} per record`);
      if (models) setText(models, survey.models.length > 0 ? `serves ${survey.models.join(", ")}` : "no model in production yet");
    }
    writeProblems(survey?.problems ?? []);
    writeInBrief(survey);
    writeStages(survey?.stages ?? []);
    writeReasons();
    writeSource();
    route();
  }

  /** How long a stage's SmartModules work on a record; null if unknown. */
  function secondsPerRecord(stage) {
    return flow.chains?.find((chain) => chain.stage === stage)?.seconds_per_record ?? null;
  }

  function newestCommit(parts) {
    const seconds = parts.map((part) => part.seconds_since_commit).filter((s) => s !== null);
    return seconds.length > 0 ? Math.min(...seconds) : null;
  }

  function lastCommit(parts) {
    const seconds = newestCommit(parts);
    return seconds === null ? "no commit yet" : `last commit ${format.ago(seconds)}`;
  }

  /** Why the frame says "Healthy". */
  function writeInBrief(survey) {
    inBrief.hidden = survey === null || survey.problems.length > 0;
    if (inBrief.hidden) return;
    const lag = survey.stages.reduce((sum, part) => sum + part.lag, 0);
    const came = survey.freshness?.seconds_since_arrival ?? null;
    const arrival = came === null ? "" : `the newest data came ${format.ago(came)}, `;
    const behind = lag === 0 ? "everything is in the lake" : `${format.counted(lag, "record")} of the stages' inputs are not in the lake yet`;
    setText(inBrief, `Healthy: ${arrival}${behind}, ${lastCommit(survey.stages)}.`);
  }

  function writeProblems(found) {
    const texts = found.map((problem) => problem.message);
    if (problems.dataset.texts !== JSON.stringify(texts)) {
      problems.dataset.texts = JSON.stringify(texts);
      problems.replaceChildren(...texts.map((text) => h("li", {}, text)));
    }
    for (const [key, { element, alarm }] of cards) {
      if (key === "source") continue;
      const name = key.replace(/^(topic|stage) /, "").replace(/ here$/, "");
      const modules = flow.stages.find((stage) => key === `stage ${stage.name}`)?.smartmodules ?? [];
      // A SmartModule may be called like a topic.
      const isOwn = ({ about, message }) => (message.startsWith("SmartModule ") ? modules.includes(about) : about === name);
      const own = found.filter(isOwn);
      element.classList.toggle("wrong", own.length > 0);
      alarm.hidden = own.length === 0;
      setText(alarm, own.map((problem) => problem.message).join("\n"));
    }
  }

  function writeStages(found) {
    const rows = found.map((part) => h("tr", {},
      h("th", { scope: "row" }, part.name), h("td", {}, `${part.topic}/${part.partition}`),
      h("td", { className: "number" }, format.brief(secondsPerRecord(part.name))),
      h("td", { className: "number" }, format.count(part.lag)),
      h("td", { className: "number" }, part.committed_offset === null ? "–" : String(part.committed_offset)),
      h("td", { className: "number" }, format.ago(part.seconds_since_commit))));
    stages.replaceChildren(
      h("thead", {}, h("tr", {}, ["Stage", "Input", "Time per record", "Lag", "Committed offset", "Last commit"].map((name, index) =>
        h("th", { scope: "col", className: index > 1 ? "number" : "" }, name)))),
      h("tbody", {}, rows));
    noTimes.hidden = flow.chains !== null;
  }

  function writeSource() {
    const { title, text, alarm, element } = cards.get("source");
    setText(title, sourceName());
    const problem = flow.source?.problem ?? null;
    setText(text, sourceInBrief(flow));
    setText(alarm, problem ?? "");
    alarm.hidden = problem === null;
    element.classList.toggle("wrong", problem !== null);
    source.replaceChildren(...facts(flow).map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
    source.hidden = source.childElementCount === 0;
    untold.hidden = flow.source !== null;
  }

  function writeReasons() {
    const { of, by_reason } = flow.rejects;
    rejected.hidden = of === 0;
    const rows = Object.entries(by_reason).sort(([, a], [, b]) => b - a);
    reasons.replaceChildren(
      h("caption", {}, h("span", {}, `Reasons of the newest ${format.counted(of, "rejected record")}`)),
      h("tbody", {}, rows.map(([reason, n]) => {
        const bar = h("span", { className: "bar" });
        bar.style.setProperty("--share", n / of);
        return h("tr", {}, h("th", { scope: "row" }, reason), h("td", { className: "number" }, format.count(n)), h("td", { className: "wide-cell" }, bar));
      })));
  }

  /** Draws the arrows from card to card: to the right where there is room, else downwards. */
  function route() {
    const origin = drawing.getBoundingClientRect();
    const boxes = new Map();
    for (const [key, { element }] of cards) {
      const box = element.getBoundingClientRect();
      boxes.set(key, { left: box.left - origin.left, top: box.top - origin.top, width: box.width, height: box.height });
    }
    for (const { from, to, rate, paths, label } of edges) {
      const [a, b] = [boxes.get(from), boxes.get(to)];
      const across = b.left > a.left + a.width;
      // Down the left side of the cards, and into the side of an indented one.
      const inner = b.left > a.left + DOWN;
      const start = across ? [a.left + a.width, a.top + a.height / 2] : [a.left + DOWN, a.top + a.height];
      const end = across || inner ? [b.left - 3, b.top + b.height / 2] : [b.left + DOWN, b.top - 3];
      const bend = [start[0] + BEND, end[1]];
      const line = across
        ? `M${start} C${start[0] + BEND * 0.6},${start[1]} ${bend[0] - BEND * 0.6},${bend[1]} ${bend} L${end}`
        : `M${start} L${start[0]},${end[1]} L${end}`;
      const speed = rate();
      for (const path of paths) path.setAttribute("d", line);
      paths[1].classList.toggle("still", !(speed > 0));
      paths[1].classList.toggle("quick", speed > 100);
      if (label) {
        // Stacked cards leave no room for labels; there the topics' cards show the rates.
        setText(label, speed === null || narrow.matches ? "" : format.rate(speed));
        label.setAttribute("text-anchor", across ? "end" : "start");
        label.setAttribute("x", across ? end[0] - 8 : start[0] + 10);
        // On the side away from the arrow's start.
        const beside = start[1] < end[1] ? 15 : -5;
        label.setAttribute("y", across ? end[1] + beside : (start[1] + end[1]) / 2 + 4);
      }
    }
  }

  const narrow = matchMedia("(max-width: 900px)");
  const measured = new ResizeObserver(() => {
    if (flow) route();
  });
  const disconnect = connect({ page: "pipeline" }, {
    pipeline: (now) => {
      flow = now;
      draw();
    },
    hour: hour.take,
  });
  const isCalm = matchMedia("(prefers-reduced-motion: reduce)");
  let moved = 0;
  const moving = setInterval(() => {
    if (isCalm.matches || document.hidden) return;
    moved = (moved + STEP_PIXELS) % ROUND_PIXELS;
    drawing.querySelector(".arrows")?.style.setProperty("--moved", moved.toFixed(1));
  }, STEP_MS);
  return () => {
    clearInterval(moving);
    disconnect();
    measured.disconnect();
    draw.cancel();
  };
}
