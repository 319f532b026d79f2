// Elements, icons and buttons.

const SVG = "http://www.w3.org/2000/svg";

/** @type {Record<string, string>} */
const ICONS = {
  play: "M4 2l10 6-10 6z",
  pause: "M3 2h4v12H3zM9 2h4v12H9z",
  back: "M11 2v12L3 8z",
  forward: "M5 2v12l8-6z",
  plus: "M7 2h2v5h5v2H9v5H7V9H2V7h5z",
  minus: "M2 7h12v2H2z",
  fit: "M2 2h5v2H4v3H2zM9 2h5v5h-2V4H9zM2 9h2v3h3v2H2zM12 9h2v5H9v-2h3z",
  full: "M1 1h6L5 3l3 3-2 2-3-3-2 2zM15 15H9l2-2-3-3 2-2 3 3 2-2z",
  help: "M6 5a2 2 0 1 1 3 2C8 8 7 8 7 10h2c0-1 2-2 2-4a3 3 0 0 0-7-1zM7 11h2v2H7z",
};

/**
 * Make an element: h("button", {class: "x", onclick: f}, "text", child). Text is never read as HTML.
 * @param {string} tag
 * @param {Record<string, any>} [attributes]
 * @param {...(Node | string | null | undefined)} children
 * @returns {any}
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children) if (child !== null && child !== undefined) element.append(child);
  return element;
}

/**
 * Icons are drawn, not taken from a font, so that they look the same everywhere.
 * @param {string} name
 */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/**
 * A button with an icon.
 * @param {string} name
 * @param {string} label
 * @param {(event: Event) => void} onclick
 */
export function button(name, label, onclick) {
  return h("button", { type: "button", title: label, "aria-label": label, onclick }, icon(name));
}

/**
 * Buttons of which one is pressed.
 * @param {string} label
 * @param {[string, string, string?][]} options value, text, tooltip
 * @param {(value: string) => void} onpick
 */
export function choice(label, options, onpick) {
  const element = h(
    "span",
    { class: "fml-choice", role: "group", "aria-label": label },
    ...options.map(([value, text, title]) =>
      h("button", { type: "button", "data-value": value, title: title || label, onclick: () => onpick(value) }, text),
    ),
  );
  return {
    element,
    /** @param {string} value */
    mark(value) {
      for (const child of element.children) child.setAttribute("aria-pressed", String(child.dataset.value === value));
    },
  };
}
