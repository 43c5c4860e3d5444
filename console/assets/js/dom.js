// Building the page. Text always becomes a text node: what a record says is never markup.

/** An element; a property that is a function listens, one with a dash or that is no property becomes an attribute. */
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

/** Changes a text only when it is another one: an unchanged page costs nothing to lay out. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** The same for an attribute. */
export function setAttribute(node, name, value) {
  if (node.getAttribute(name) !== value) node.setAttribute(name, value);
}

/** Runs `draw` in the next frame, once, however often it is asked for until then. */
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

/** A colour of the theme as it is now, as canvases need it. */
export function colour(name) {
  probe.style.color = `var(${name})`;
  return getComputedStyle(probe).color;
}

/** Calls back when the colours have changed, by the button or by the system; returns what ends it. */
export function onThemeChange(changed) {
  const system = matchMedia("(prefers-color-scheme: dark)");
  system.addEventListener("change", changed);
  document.addEventListener("themechange", changed);
  return () => {
    system.removeEventListener("change", changed);
    document.removeEventListener("themechange", changed);
  };
}

/** The message of a page that has nothing to show. */
export function nothing(text) {
  return h("p", { className: "nothing" }, text);
}
