// The Models page: training runs, the models in production and staging, and their drift.

import { h, nothing, setText, withCode } from "./dom.js";
import * as format from "./format.js";
import { ask, connect } from "./live.js";
import { beside } from "./models/beside.js";
import { overRuns } from "./models/over.js";
import { verdictOf } from "./models/verdict.js";
import { table } from "./table.js";

const NAMES = { anomaly_ahead: "Anomaly ahead", trend_up: "Trend up" };
const WHAT = {
  anomaly_ahead: "Predicts that an episode of warnings begins within 15 minutes (random forest)",
  trend_up: "Predicts a higher price in 15 minutes (logistic regression)",
};
const METRICS = [["auc_roc", "AUC-ROC"], ["auc_pr", "AUC-PR"], ["brier", "Brier (lower is better)"]];
/** Metrics of a run's models on days they were not trained on, and of the two baselines. */
const MEASURED = [...METRICS, ["precision", "Precision"], ["recall", "Recall"], ["base_rate", "Base rate"],
  ["auc_pr_low", "AUC-PR at least (95 %)"],
  ["lift_top_1pct", "Lift in the top 1 %"], ["base_rate_brier", "Brier of the base rate"],
  ["best_input_auc_roc", "AUC-ROC of the best input"], ["best_input_auc_pr", "AUC-PR of the best input"]];
/** What else is measured. */
const OTHERS = {
  auc_pr_high: "AUC-PR at most (95 %)", gain: "AUC-PR as a multiple of the base rate",
  gain_low: "Multiple of the base rate at least (95 %)", gain_high: "Multiple of the base rate at most (95 %)",
  lead_low: "AUC-PR ahead of the best input by at least (95 %)", lead_high: "AUC-PR ahead of the best input by at most (95 %)",
  newest_day_auc_roc: "AUC-ROC on the newest day", auc_roc_by_day: "AUC-ROC on the last day tested", f1: "F1",
  threshold: "Threshold", fit_rows: "Rows fitted on", test_rows: "Rows tested on", fit_seconds: "Seconds of fitting",
  importance: "Importance of", production_drift: "Drift (PSI) in production of",
};
const ALIASES = ["production", "staging"];

/** What `MODEL/METRIC` is called. */
function nameOf(key) {
  const [model, metric, ...of] = key.split("/");
  if (metric === undefined) return key;
  const name = MEASURED.find(([known]) => known === metric)?.[1] ?? OTHERS[metric] ?? format.sentenceCase(metric.replaceAll("_", " "));
  return `${NAMES[model] ?? model}, ${[name, ...of].join(" ")}`;
}

function at(versions, alias) {
  return versions.find((version) => version.aliases.includes(alias));
}

function addressOf(run) {
  return `#/models/${encodeURIComponent(run)}`;
}

export function modelsPage(main, [chosen], query) {
  let left = false;
  const disconnect = connect({ page: "other" }, {});
  const place = h("p", { className: "summary" }, "Loading runs from the model registry …");
  const content = h("div");
  main.append(h("h1", {}, "Models"), place, content);
  load().catch((error) => {
    if (!left) {
      place.remove();
      content.append(nothing(error.message));
    }
  });

  async function load() {
    const found = await ask("api/models");
    const wanted = [chosen, query.get("with")].map((id) => (id ? runOf(found.runs, id) : null));
    const serving = found.models.map(({ versions }) => {
      const version = at(versions, "production");
      return version ? runOf(found.runs, version.run) : null;
    });
    const [run, other, ...served] = await Promise.all([...wanted, ...serving]);
    if (!left) show(found, run, other, served);
  }

  /** A run by its id, also one that is older than those of the list; its problem where there is none. */
  async function runOf(runs, id) {
    const listed = runs.find((run) => run.id === id);
    if (listed) return { run: listed };
    return ask("api/run", { run: id }).then((run) => ({ run }), (error) => ({ problem: error.message }));
  }

  function show({ place: where, link, training, models, runs, pictures }, wanted, other, served) {
    place.replaceChildren("Stored in ", link ? outward(link, where) : where);
    if (runs.length === 0) {
      content.append(nothing(wanted?.problem ?? `No run yet: \`${training}\` trains both models on the lake.`));
      return;
    }
    const versions = models.flatMap((model) => model.versions);
    const aliasesOf = (run) => versions.filter((version) => version.run === run.id).flatMap((version) => version.aliases
      .map((alias) => h("span", { className: `alias ${alias}`, title: `${version.model} version ${version.version}` }, `${alias}: ${NAMES[version.model] ?? version.model}`)));
    const run = wanted === null ? runs.find((r) => r.status === "finished") ?? runs[0] : wanted.run;
    content.append(h("div", { className: "models" }, models.map((model, i) => modelCard(model, served[i]?.run ?? {}))));
    if (run) {
      content.append(h("h2", {}, `Run ${run.name || run.id}`), h("p", { className: "summary run-aliases" }, aliasesOf(run),
        run.link ? outward(run.link, "Open in MLflow") : null));
      content.append(...(other?.run ? [h("p", {}, `Beside run ${other.run.name || other.run.id}`), beside(run, other.run, MEASURED.map(([key]) => key), nameOf)] : runDetails(run, models, pictures)));
      if (other?.problem) content.append(nothing(other.problem));
    } else content.append(nothing(wanted.problem));
    content.append(...[overRuns(runs, nameOf)].filter(Boolean), h("h2", {}, "Runs"), runTable(runs, run ?? null, models, aliasesOf));
  }

  /** A link that leaves the console and opens in a new tab. */
  function outward(href, text) {
    return h("a", { href, target: "_blank", rel: "noreferrer" }, text, h("span", { "aria-hidden": "true" }, " ↗"));
  }

  /** A card of a model; `run` is that of the version in production. */
  function modelCard({ name, versions }, run) {
    const [serving, waiting] = ALIASES.map((alias) => at(versions, alias));
    const drift = h("p", { className: "drift faint" }, serving ? "Computing drift …" : "");
    if (serving) showDrift(drift, name);
    return h("section", { className: "card model" },
      h("h2", {}, NAMES[name] ?? name), h("p", { className: "faint" }, WHAT[name] ?? ""),
      h("p", { className: "serving" }, serving ? `Version ${serving.version} is in production` : "No version is in production"),
      waiting && waiting !== serving ? h("p", {}, `Version ${waiting.version} is in staging`) : null,
      h("p", { className: "verdict" }, verdictOf(name, run)),
      measured(METRICS, run.metrics ?? {}, name),
      h("p", { className: "tested faint" }, testedOn(name, run)),
      drift,
      h("details", {}, h("summary", {}, `Versions (${versions.length})`),
        h("ul", { className: "versions" }, versions.map((version) => h("li", {},
          h("strong", {}, `${version.version}`), " ", version.aliases.map((alias) => h("span", { className: `alias ${alias}` }, alias)),
          " ", h("a", { href: addressOf(version.run) }, format.time(version.created_ms)),
          version.note ? h("p", { className: "faint" }, version.note) : null)))));
  }

  function measured(which, metrics, model) {
    const of = (key) => metrics[`${model}/${key}`];
    const known = which.filter(([key]) => of(key) !== undefined);
    // An interval without width says nothing.
    const value = (key) => (key === "auc_pr_low" && of(key) === of("auc_pr_high") ? null : of(key));
    return h("dl", {}, known.map(([key, label]) =>
      h("div", { "data-of": `${model}/${key}` }, h("dt", {}, label), h("dd", {}, format.decimal(value(key), 4)))));
  }

  /** The rows that what is said of a model was measured on. */
  function testedOn(model, { metrics = {}, params = {} }) {
    const rows = metrics[`${model}/test_rows`];
    if (rows === undefined) return "";
    const range = params[`${model}/test_range`];
    return `Tested on ${format.counted(rows, "row")}${range ? ` from ${range.split(" to ").map((end) => format.time(Date.parse(end))).join(" to ")}` : ""}.`;
  }

  let drifts = null;
  function showDrift(line, model) {
    drifts ??= ask("api/drift");
    drifts.then(({ models, problems }) => {
      const drift = models.find((d) => d.model === model);
      if (!drift) {
        setText(line, `Drift is unknown${problems.length > 0 ? `: ${problems.join("; ")}` : ""}`);
        return;
      }
      const [input, most] = Object.entries(drift.inputs).reduce((a, b) => (b[1] > a[1] ? b : a));
      const scores = drift.scores === null ? "" : `, scores ${format.decimal(drift.scores, 3)}`;
      setText(line, `Drift of the lake's last day (PSI): ${input} ${format.decimal(most, 3)}${scores}`);
      if (drift.warning) line.after(h("p", { className: "old drifted" }, withCode(`Warning: ${drift.warning}.`)));
    }, (error) => setText(line, `Drift is unknown: ${error.message}`));
  }

  function runDetails(run, models, pictures) {
    const parameters = Object.entries(run.params);
    const details = parameters.length === 0 ? [] : [h("details", { className: "parameters" }, h("summary", {}, `Parameters (${parameters.length})`),
      table("Parameters", [["Name"], ["Value"]], parameters.map(([name, value]) => h("tr", {}, h("th", { scope: "row" }, name), h("td", {}, value)))))];
    if (run.status !== "finished") return [nothing(whyNot(run)), ...details];
    return [...models.map(({ name }) => h("section", { className: "run" }, h("h3", {}, NAMES[name] ?? name),
      measured(MEASURED, run.metrics, name),
      h("div", { className: "pictures" }, pictures.map((picture) => {
        const src = "api/picture?" + new URLSearchParams({ run: run.id, model: name, name: picture });
        const alt = `${picture.replaceAll("_", " ")} of ${NAMES[name] ?? name}`;
        return h("a", { href: src, target: "_blank", rel: "noreferrer", title: "Larger" }, h("img", { src, alt }));
      })))), ...details];
  }

  /** What became of a run without results. */
  function whyNot({ status, tags }) {
    const why = tags.failure ? `: ${tags.failure}` : "";
    return {
      running: "This run has not ended yet, or its process was killed.",
      failed: `This run failed${why || ", and did not say why"}`,
      killed: `This run was stopped${why}`,
    }[status] ?? `This run is ${status}${why}`;
  }

  function runTable(runs, shown, models, aliasesOf) {
    const columns = models.flatMap(({ name }) => METRICS.slice(0, 2).map(([key, label]) => [`${name}/${key}`, `${NAMES[name] ?? name}, ${label}`]));
    const compare = (run) => (shown === null || run.id === shown.id ? null
      : h("a", { href: `${addressOf(shown.id)}?with=${encodeURIComponent(run.id)}`, "aria-label": `Compare ${shown.name || shown.id} with ${run.name || run.id}` }, "compare"));
    return h("div", { className: "scroll", tabIndex: 0, role: "region", "aria-label": "Runs" }, h("table", { className: "plain runs" },
      h("thead", {}, h("tr", {}, ["Run", "Started", "Status"].map((text) => h("th", { scope: "col" }, text)),
        columns.map(([, label]) => h("th", { scope: "col", className: "number" }, label)), h("th", { scope: "col" }, "Beside"))),
      h("tbody", {}, runs.map((run) => h("tr", {},
        h("th", { scope: "row" }, h("a", { href: addressOf(run.id), "aria-current": run.id === shown?.id ? "true" : undefined }, run.name || run.id), " ", aliasesOf(run)),
        h("td", { className: "nowrap" }, format.time(run.started_ms)), h("td", { title: run.tags.failure ?? "" }, run.status),
        columns.map(([key]) => h("td", { className: "number" }, format.decimal(run.metrics[key], 4))), h("td", {}, compare(run)))))));
  }

  return () => {
    left = true;
    disconnect();
  };
}
