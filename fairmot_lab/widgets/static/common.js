// Small helpers that every view shares. Views are plain ES modules: no build step, no framework, nothing from a network.

/** Make an element: h("button", {class: "x", onclick: f}, "text", child). */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter(child => child !== null && child !== undefined));
  return element;
}

// Okabe and Ito's colours, which people with any common colour blindness can tell apart.
export const COLOURS = {
  orange: "#E69F00", sky: "#56B4E9", green: "#009E73", yellow: "#F0E442",
  blue: "#0072B2", vermilion: "#D55E00", purple: "#CC79A7",
};

const ICONS = {
  play: "M4 2l10 6-10 6z",
  pause: "M3 2h4v12H3zM9 2h4v12H9z",
  back: "M12 2v12L4 8zM2 2h2v12H2z",
  forward: "M4 2v12l8-6zM12 2h2v12h-2z",
  previous: "M8 2v12L1 8zM15 2v12L8 8z",
  next: "M8 2v12l7-6zM1 2v12l7-6z",
  plus: "M7 2h2v5h5v2H9v5H7V9H2V7h5z",
  minus: "M2 7h12v2H2z",
  fit: "M2 2h5v2H4v3H2zM9 2h5v5h-2V4H9zM2 9h2v3h3v2H2zM12 9h2v5H9v-2h3z",
  full: "M1 1h6L5 3l3 3-2 2-3-3-2 2zM15 15H9l2-2-3-3 2-2 3 3 2-2z",
  help: "M6 5a2 2 0 1 1 3 2C8 8 7 8 7 10h2c0-1 2-2 2-4a3 3 0 0 0-7-1zM7 11h2v2H7z",
};

/** Icons are drawn, not taken from a font, so that they look the same everywhere. */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

export function button(name, label, onclick) {
  return h("button", { type: "button", title: label, "aria-label": label, onclick }, icon(name));
}

/** The outer element of a view. The data attribute tells JupyterLab to leave our keys alone. */
export function frameOf(el, kind, label) {
  const root = h("div", { class: `fml fml-${kind}`, "data-lm-suppress-shortcuts": "true", role: "group", "aria-label": label });
  el.append(root);
  return root;
}

/** A banner that shows the trait `error`, and what a view itself finds wrong. */
export function errorBanner(model, scope) {
  const banner = h("div", { class: "fml-error", role: "alert", hidden: true });
  let own = "";
  const show = () => {
    const text = [model.get("error"), own].filter(Boolean).join(" ");
    banner.textContent = text;
    banner.hidden = !text;
  };
  scope.model("change:error", show);
  show();
  return { element: banner, say(text) { if (text !== own) { own = text; show(); } } };
}

/** The trait `note`: what a view leaves out, and why. */
export function noteOf(model, scope) {
  const note = h("p", { class: "fml-note" });
  const show = () => { note.textContent = model.get("note"); note.hidden = !note.textContent; };
  scope.model("change:note", show);
  show();
  return note;
}

/** Collects what must be undone when a view goes: model listeners, DOM listeners, observers, frames of animation. */
export function makeScope(model) {
  const undo = [];
  return {
    model(names, handler) { model.on(names, handler); undo.push(() => model.off(names, handler)); },
    dom(target, type, handler, options) { target.addEventListener(type, handler, options); undo.push(() => target.removeEventListener(type, handler, options)); },
    resize(target, handler) { const observer = new ResizeObserver(handler); observer.observe(target); undo.push(() => observer.disconnect()); },
    /** JupyterLab swaps its theme by attributes of <body>; canvases must be painted anew. */
    theme(handler) {
      const observer = new MutationObserver(handler);
      observer.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light", "data-jp-theme-name"] });
      const media = matchMedia("(prefers-color-scheme: dark)");
      media.addEventListener("change", handler);
      undo.push(() => { observer.disconnect(); media.removeEventListener("change", handler); });
    },
    also(handler) { undo.push(handler); },
    close() { while (undo.length) undo.pop()(); },
  };
}

/** Colours of the current theme for painting on a canvas. */
export function themeOf(element) {
  const style = getComputedStyle(element);
  const read = name => style.getPropertyValue(name).trim();
  return { text: style.color, dim: read("--fml-dim"), line: read("--fml-line"), back: read("--fml-back"), accent: read("--fml-accent") };
}

/** A canvas in device pixels: call when its element changed its size. Returns the ratio of device to CSS pixels. */
export function fitCanvas(canvas, width, height) {
  const ratio = Math.min(window.devicePixelRatio || 1, 2);
  const w = Math.max(1, Math.round(width * ratio)), hgt = Math.max(1, Math.round(height * ratio));
  if (canvas.width !== w || canvas.height !== hgt) { canvas.width = w; canvas.height = hgt; }
  return ratio;
}

/** Bytes of a trait (a DataView, or nothing yet) as an array of 32-bit floats. */
export function floats(view) {
  if (!view || !view.byteLength) return new Float32Array(0);
  return new Float32Array(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength));
}

/** Bytes of a trait or of a message's buffer as an array of 8-bit numbers. */
export function octets(view) {
  if (!view || !view.byteLength) return new Uint8Array(0);
  return view.buffer ? new Uint8Array(view.buffer, view.byteOffset, view.byteLength) : new Uint8Array(view);
}

/** One colour per identity, by turns; identities that share one differ by their number, which is always written. */
export function colourOf(palette, id) {
  const n = palette.length;
  return palette[((Math.round(id) % n) + n) % n];
}

export const clamp = (value, low, high) => Math.max(low, Math.min(high, value));

export function setTraits(model, values) {
  for (const [name, value] of Object.entries(values)) model.set(name, value);
  model.save_changes();
}

/** Black or white, whichever reads better on a colour "#rrggbb". */
export function inkOn(colour) {
  const [r, g, b] = [1, 3, 5].map(i => parseInt(colour.slice(i, i + 2), 16) / 255);
  return 0.2126 * r ** 2.2 + 0.7152 * g ** 2.2 + 0.0722 * b ** 2.2 > 0.18 ? "#000" : "#fff";
}
