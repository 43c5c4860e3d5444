// Copying a text to the clipboard.

import { h, setText } from "../dom.js";

const COPIED_MS = 2000;

/** A button that copies what `text` returns. Where the browser gives the page no clipboard, `otherwise` says what else was done. */
export function copyButton(name, text, otherwise = () => "No clipboard", label = name) {
  const button = h("button", { type: "button", className: "copy", "aria-label": label }, name);
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text());
      setText(button, "Copied");
    } catch {
      // Browsers give pages without https no clipboard.
      setText(button, otherwise());
    }
    setTimeout(() => setText(button, name), COPIED_MS);
  });
  return button;
}
