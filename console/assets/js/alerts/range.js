// A range of time to choose: live, the last hours or days of the market, or from one time to another.

import { h } from "../dom.js";
import { dateField } from "../format.js";

const LAST = [["60", "last hour"], ["1440", "last 24 hours"], ["10080", "last 7 days"], ["43200", "last 30 days"]];

/** Two fields for times, and the choice between them and the others. `changed` is called at every change. */
export function rangeChoice(query, changed) {
  const isBetween = query.has("from") || query.has("until");
  const choice = h("select", { id: "alert-range" },
    h("option", { value: "" }, "newest, live"), LAST.map(([minutes, text]) => h("option", { value: minutes }, text)),
    h("option", { value: "all" }, "all"), h("option", { value: "between" }, "from … to …"));
  choice.value = isBetween ? "between" : query.get("minutes") ?? "";
  if (choice.selectedIndex < 0) choice.value = "";
  const field = (name, id) => {
    const value = query.get(name);
    return h("input", { type: "datetime-local", id, value: value ? dateField(Number(value)) : "", onchange: changed });
  };
  const from = field("from", "alert-from");
  const until = field("until", "alert-until");
  const between = [h("label", {}, "From (UTC)", from), h("label", {}, "To (UTC)", until)];
  const show = () => between.forEach((label) => { label.hidden = choice.value !== "between"; });
  show();
  choice.addEventListener("change", () => {
    show();
    // Without a time there is nothing to show yet.
    if (choice.value !== "between" || from.value || until.value) changed();
  });
  return {
    fields: [h("label", {}, "Time", choice), ...between],
    /** The range as parameters of an address; null for live. */
    chosen() {
      if (choice.value === "") return null;
      if (choice.value === "between") return { from: msOf(from.value), until: msOf(until.value) };
      return { minutes: choice.value };
    },
    /** Chooses a range by its ends. */
    choose(begin, end) {
      choice.value = "between";
      // The fields have whole minutes.
      from.value = dateField(begin);
      until.value = dateField(end + 59_999);
      show();
      changed();
    },
  };
}

function msOf(text) {
  return text === "" ? "" : String(Date.parse(`${text}Z`));
}
