// The Models page: training runs, the models in production, and their drift.

import { h, nothing, setText } from "./dom.js";
import * as format from "./format.js";
import { ask, connect } from "./live.js";

const NAMES = { anomaly_ahead: "Anomaly ahead", trend_up: "Trend up" };
const WHAT = {
  anomaly_ahead: "Predicts that an episode of warnings begins within 15 minutes (random forest)",
  trend_up: "Predicts a higher price in 15 minutes (logistic regression)",
};
const METRICS = [["auc_roc", "AUC-ROC"], ["auc_pr", "AUC-PR"], ["brier", "Brier"]];
/** Metrics of a run's models on days they were not trained on, and of the two baselines. */
const MEASURED = [...METRICS, ["precision", "Precision"], ["recall", "Recall"], ["base_rate", "Base rate"],
  ["auc_pr_low", "AUC-PR at least (95 %)"],
  ["lift_top_1pct", "Lift in the top 1 %"], ["base_rate_brier", "Brier of the base rate"],
  ["best_input_auc_roc", "AUC-ROC of the best input"], ["best_input_auc_pr", "AUC-PR of the best input"]];

export function modelsPage(main, [chosen]) {
  let left = false;
  const disconnect = connect({ page: "other" }, {});
  const place = h("p", { className: "summary" }, "Loading runs from the model registry …");
  const content = h("div");
  main.append(h("h1", {}, "Models"), place, content);
  ask("/api/models").then((models) => !left && show(models), (error) => {
    if (!left) {
      place.remove();
      content.append(nothing(error.message));
    }
  });

  function show({ place: where, link, models, runs, pictures }) {
    place.replaceChildren("Stored in ", link ? outward(link, where) : where);
    if (runs.length === 0) {
      content.append(nothing("No run yet: `coinlake train run` trains both models on the lake."));
      return;
    }
    const run = runs.find((r) => r.id === chosen) ?? runs.find((r) => r.status === "finished") ?? runs[0];
    content.append(
      h("div", { className: "models" }, models.map((model) => modelCard(model, runs))),
      h("h2", {}, `Run ${run.name || run.id}`),
      ...(run.link ? [h("p", { className: "summary" }, outward(run.link, "Open in MLflow"))] : []),
      ...runDetails(run, models, pictures),
      h("h2", {}, "Runs"), runTable(runs, run, models));
  }

  /** A link that leaves the console and opens in a new tab. */
  function outward(href, text) {
    return h("a", { href, target: "_blank", rel: "noreferrer" }, text, h("span", { "aria-hidden": "true" }, " ↗"));
  }

  function modelCard({ name, versions }, runs) {
    const serving = versions.find((version) => version.aliases.includes("production"));
    const metrics = runs.find((run) => run.id === serving?.run)?.metrics ?? {};
    const drift = h("p", { className: "drift faint" }, serving ? "Computing drift …" : "");
    if (serving) showDrift(drift, name);
    return h("section", { className: "card model" },
      h("h2", {}, NAMES[name] ?? name), h("p", { className: "faint" }, WHAT[name] ?? ""),
      h("p", { className: "serving" }, serving ? `Version ${serving.version} is in production` : "No version is in production"),
      measured(METRICS, metrics, name),
      drift,
      h("details", {}, h("summary", {}, `Versions (${versions.length})`),
        h("ul", { className: "versions" }, versions.map((version) => h("li", {},
          h("strong", {}, `${version.version}`), " ", version.aliases.map((alias) => h("span", { className: `alias ${alias}` }, alias)),
          " ", h("a", { href: `#/models/${encodeURIComponent(version.run)}` }, format.time(version.created_ms)),
          version.note ? h("p", { className: "faint" }, version.note) : null)))));
  }

  function measured(which, metrics, model) {
    const known = which.filter(([key]) => metrics[`${model}/${key}`] !== undefined);
    return h("dl", {}, known.map(([key, label]) =>
      h("div", { "data-of": `${model}/${key}` }, h("dt", {}, label), h("dd", {}, format.decimal(metrics[`${model}/${key}`], 4)))));
  }

  let drifts = null;
  function showDrift(line, model) {
    drifts ??= ask("/api/drift");
    drifts.then(({ models, problems, notable }) => {
      const drift = models.find((d) => d.model === model);
      if (!drift) {
        setText(line, `Drift is unknown${problems.length > 0 ? `: ${problems.join("; ")}` : ""}`);
        return;
      }
      const [input, most] = drift.inputs[0];
      const scores = drift.scores === null ? "" : `, scores ${format.decimal(drift.scores, 3)}`;
      setText(line, `Drift of the lake's last day (PSI): ${input} ${format.decimal(most, 3)}${scores}` +
        (most >= notable ? ". The market has changed: retrain the models." : ""));
      line.classList.toggle("alarming", most >= notable);
    }, (error) => setText(line, `Drift is unknown: ${error.message}`));
  }

  function runDetails(run, models, pictures) {
    if (run.status !== "finished") return [nothing(`This run is ${run.status}.`)];
    return models.map(({ name }) => h("section", { className: "run" }, h("h3", {}, NAMES[name] ?? name),
      measured(MEASURED, run.metrics, name),
      h("div", { className: "pictures" }, pictures.map((picture) => h("img", {
        src: "/api/picture?" + new URLSearchParams({ run: run.id, model: name, name: picture }),
        alt: `${picture.replaceAll("_", " ")} of ${NAMES[name] ?? name}`,
      })))));
  }

  function runTable(runs, shown, models) {
    const columns = models.flatMap(({ name }) => METRICS.slice(0, 2).map(([key, label]) => [`${name}/${key}`, `${NAMES[name] ?? name}, ${label}`]));
    return h("div", { className: "scroll" }, h("table", { className: "plain" },
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Run"), h("th", { scope: "col" }, "Started"), h("th", { scope: "col" }, "Status"),
        columns.map(([, label]) => h("th", { scope: "col", className: "number" }, label)))),
      h("tbody", {}, runs.map((run) => h("tr", {},
        h("th", { scope: "row" }, h("a", { href: `#/models/${encodeURIComponent(run.id)}`, "aria-current": run === shown ? "true" : undefined }, run.name || run.id)),
        h("td", { className: "nowrap" }, format.time(run.started_ms)), h("td", {}, run.status),
        columns.map(([key]) => h("td", { className: "number" }, format.decimal(run.metrics[key], 4))))))));
  }

  return () => {
    left = true;
    disconnect();
  };
}
