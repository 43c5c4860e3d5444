// Builds the page. Text always becomes a text node, so the content of a record is never markup.

/** An element. `onclick` and the like become listeners; names with a dash, and names the element does not know, attributes. */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in element && !name.includes("-") && name !== "list" && name !== "for") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const SVG = "http://www.w3.org/2000/svg";

/** An SVG element with attributes. */
export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** Sets a text only if it differs, so that an unchanged page needs no new layout. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Sets an attribute only if it differs. */
export function setAttribute(node, name, value) {
  if (node.getAttribute(name) !== value) node.setAttribute(name, value);
}

/** Returns a function that runs `draw` in the next frame, once, no matter how often it is called until then. */
export function inNextFrame(draw) {
  let asked = 0;
  const ask = () => {
    asked ||= requestAnimationFrame(() => {
      asked = 0;
      draw();
    });
  };
  ask.cancel = () => {
    cancelAnimationFrame(asked);
    asked = 0;
  };
  return ask;
}

const probe = document.createElement("span");
probe.hidden = true;
document.body.append(probe);

/** The present value of a colour of the theme, for canvases. */
export function colour(name) {
  probe.style.color = `var(${name})`;
  return getComputedStyle(probe).color;
}

/** Calls `changed` after the colours changed, by button or by system. Returns a function that stops this. */
export function onThemeChange(changed) {
  const system = matchMedia("(prefers-color-scheme: dark)");
  system.addEventListener("change", changed);
  document.addEventListener("themechange", changed);
  return () => {
    system.removeEventListener("change", changed);
    document.removeEventListener("themechange", changed);
  };
}

/** A sentence whose parts between backticks are code. */
export function withCode(text) {
  return text.split("`").map((part, i) => (i % 2 === 1 ? h("code", {}, part) : part));
}

/** A message in place of content. */
export function nothing(text) {
  return h("p", { className: "nothing" }, withCode(text));
}
