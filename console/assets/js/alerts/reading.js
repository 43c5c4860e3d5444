// Whether somebody reads a list: then nothing in it may move.

/** A pointer that rests for longer does not read. */
const REST_MS = 15_000;

/** Watches the pointer and the focus in a list; `left` is called when they are there no more, or rest. */
export function whileRead(list, left) {
  let timer = null;

  function end() {
    clearTimeout(timer);
    timer = null;
  }

  function leave() {
    if (timer === null) return;
    end();
    left();
  }

  function stay() {
    clearTimeout(timer);
    timer = setTimeout(leave, REST_MS);
  }

  for (const event of ["pointermove", "pointerdown", "focusin", "keydown"]) list.addEventListener(event, stay);
  // The list of a choice that is open lies outside, and has the pointer while the choice has the focus.
  list.addEventListener("pointerleave", () => !list.contains(document.activeElement) && leave());
  list.addEventListener("focusout", ({ relatedTarget }) => !list.contains(relatedTarget) && !list.matches(":hover") && leave());
  return { is: () => timer !== null, end };
}
