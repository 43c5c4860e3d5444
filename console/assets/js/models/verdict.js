// Whether a model is any good, in words: beside chance, beside its best single input, and by what came of its alarms.

import * as format from "../format.js";

const CHANCE = 0.5;
/** From which AUC-ROC on which words hold. */
const RANKS = [[0.75, "Much better than chance"], [0.6, "Better than chance"], [0.52, "A little better than chance"], [0, "No better than chance"]];

/** Of `metrics` and `params` of the run that trained it; empty where that is not known. */
export function verdictOf(model, { metrics = {}, params = {} }) {
  const of = (name) => metrics[`${model}/${name}`];
  const ranked = of("auc_roc");
  if (ranked === undefined) return "";
  const [, words] = RANKS.find(([least]) => ranked >= least);
  const parts = [`${words} at telling what comes (${format.decimal(ranked, 2)}; chance ${format.decimal(CHANCE, 2)}, perfect 1)`];
  const [alone, input] = [of("best_input_auc_roc"), params[`${model}/best_input`]];
  if (alone !== undefined && input !== undefined) {
    const beside = ranked - alone > 0.005 ? "better than" : ranked - alone < -0.005 ? "worse than" : "as good as";
    parts.push(`${beside} ${input.replace(/^-/, "")} alone (${format.decimal(alone, 2)})`);
  }
  const [precision, recall] = [of("precision"), of("recall")];
  const came = precision === undefined || recall === undefined ? ""
    : ` Of its alarms ${format.probability(precision)} came true, where ${format.probability(of("base_rate"))} would by chance; it foresaw ${format.probability(recall)} of what came.`;
  return `${parts.join("; ")}.${came}`;
}
