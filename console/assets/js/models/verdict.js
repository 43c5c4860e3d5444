// Whether a model is any good, in words: beside chance, beside its best single input, and by what came of what it said.

import * as format from "../format.js";

const CHANCE = 0.5;
/** From which AUC-ROC on which words hold. */
const RANKS = [[0.75, "Much better than chance"], [0.6, "Better than chance"], [0.55, "A little better than chance"], [0, "No better than chance"]];
/** Fewer rows of either kind in the test prove nothing. */
const EVENTS_MIN = 30;
/** Alarms that come true more rarely than this times the base rate are of no use. */
const GAIN_MIN = 2;
const AS_GOOD = 0.005;

/** What a model does when its score is above its threshold, and what that is right about. */
const SAYS = {
  anomaly_ahead: ["alarms", "its alarms", "what came"],
  trend_up: ["predicts a rise", "these rises", "those that came"],
};

/** Of `metrics` and `params` of the run that trained it; empty where that is not known. */
export function verdictOf(model, { metrics = {}, params = {} }) {
  const of = (name) => metrics[`${model}/${name}`];
  if (of("auc_roc") === undefined) return "";
  const events = of("true_positives") + of("false_negatives");
  const rarer = Math.min(events, of("true_negatives") + of("false_positives"));
  // Older runs do not say how many there were.
  if (rarer < EVENTS_MIN) return `Too few events to judge (${format.count(rarer)}): the test needs ${EVENTS_MIN} rows of either kind. ${said(model, of)}`;
  return [useless(model, of) ?? ranked(of, params[`${model}/best_input`]), uncalibrated(of), said(model, of)].filter(Boolean).join(" ");
}

/** Why nobody should heed its alarms; null where somebody may. */
function useless(model, of) {
  if (model !== "anomaly_ahead") return null;
  if (of("true_positives") + of("false_positives") === 0) return "Not usable: it never alarms.";
  const gain = of("precision") / of("base_rate");
  if (!(gain < GAIN_MIN)) return null;
  return `Not usable: its alarms are right ${gain > 1.2 ? `only ${format.decimal(gain, 1)} times as often as` : "no more often than"} chance.`;
}

function ranked(of, input) {
  const auc = of("auc_roc");
  const [, words] = RANKS.find(([least]) => auc >= least);
  const text = `${words} at telling what comes (AUC-ROC ${format.decimal(auc, 2)}; chance ${format.decimal(CHANCE, 2)}, perfect 1)`;
  const alone = of("best_input_auc_roc");
  if (alone === undefined || input === undefined) return `${text}.`;
  const best = Math.max(alone, 1 - alone);
  const beside = auc - best > AS_GOOD ? "better than" : auc - best < -AS_GOOD ? "worse than" : "as good as";
  return `${text}; ${beside} ${inputInWords(input, alone < CHANCE)} alone (${format.decimal(best, 2)}).`;
}

/** An input as the trainer ranks by it, such as `-hour_of_day`; turned about where it foretells the opposite. */
export function inputInWords(input, isTurned) {
  const isLow = input.startsWith("-") !== isTurned;
  return `${isLow ? "low " : ""}${input.replace(/^-/, "")}`;
}

/** Scores that are farther from the truth than the base rate are no probabilities. */
function uncalibrated(of) {
  const [brier, constant] = [of("brier"), of("base_rate_brier")];
  if (!(brier > constant)) return "";
  return `Its score is no probability: always saying the base rate is nearer to the truth (Brier ${format.decimal(constant, 4)}; its own ${format.decimal(brier, 4)}, lower is better).`;
}

/** How often it says something, and how often that was right. */
function said(model, of) {
  const [does, these, came] = SAYS[model] ?? SAYS.anomaly_ahead;
  const [precision, recall] = [of("precision"), of("recall")];
  if (precision === undefined || recall === undefined) return "";
  const positive = of("true_positives") + of("false_positives");
  const share = positive / (positive + of("true_negatives") + of("false_negatives"));
  return `It ${does} on ${format.share(share)} of the test's rows and foresaw ${format.share(recall)} of ${came}; ` +
    `of ${these} ${format.share(precision)} came true, where ${format.share(of("base_rate"))} would by chance.`;
}
