// The frame on show as a PNG or SVG file, made in the browser.
import { H, ID, LAYER, LAYERS, W, X, Y } from "./boxes.js";
import { h } from "./dom.js";
import { Stage } from "./stage.js";
/** @typedef {import("./painter.js").Painter} Painter */
/** @typedef {import("./types").Model} Model */

const SVG = "http://www.w3.org/2000/svg";

/**
 * Hand a file to the browser's downloads.
 * @param {Blob} blob
 * @param {string} name
 */
export function download(blob, name) {
  const url = URL.createObjectURL(blob);
  const anchor = h("a", { href: url, download: name });
  document.body.append(anchor);
  anchor.click();
  anchor.remove();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

/**
 * A name that every file system takes.
 * @param {string} name
 * @param {number} frame
 * @param {string} ending
 */
export function fileName(name, frame, ending) {
  const plain = (name || "sequence").replace(/[^\p{L}\p{N}._-]+/gu, "-").slice(0, 80);
  return `${plain}-${String(frame).padStart(6, "0")}.${ending}`;
}

/**
 * The frame with all that is drawn on it, in the pixels of the image.
 * @param {Model} model
 * @param {Painter} painter
 * @param {Stage} shown
 * @returns {Promise<Blob | null>}
 */
export function asPng(model, painter, shown) {
  const { transport } = painter;
  const canvas = document.createElement("canvas");
  const stage = new Stage(canvas);
  const parts = painter.parts();
  const size = { width: model.get("width"), height: model.get("height") };
  const ratio = Math.min(window.devicePixelRatio || 1, 2);
  stage.zoom = shown.zoom;
  stage.divide((size.width * parts.length) / ratio, size.height / ratio, size, parts);
  stage.ratio = Math.max(1, (shown.ratio * stage.viewports[0].width) / Math.max(1, shown.viewports[0].width)); // lines as thick as on the screen
  painter.paint(stage, transport.store.pictures.get(transport.shown), transport.shown);
  return new Promise((done) => canvas.toBlob(done, "image/png"));
}

/**
 * The frame and its boxes as shapes that can be edited. Texts are text nodes: nothing in a name is read as markup.
 * @param {Model} model
 * @param {Painter} painter
 */
export function asSvg(model, painter) {
  const { transport } = painter;
  const width = model.get("width");
  const height = model.get("height");
  const make = (/** @type {string} */ tag, /** @type {Record<string, any>} */ attributes) => {
    const element = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
    return element;
  };
  const svg = make("svg", { xmlns: SVG, viewBox: `0 0 ${width} ${height}`, width, height });
  const title = make("title", {});
  title.textContent = `${model.get("name")}, frame ${transport.shown}`;
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const bitmap = transport.store.pictures.get(transport.shown)?.bitmap;
  if (bitmap) canvas.getContext("2d")?.drawImage(bitmap, 0, 0, width, height);
  svg.append(title, make("image", { href: canvas.toDataURL("image/jpeg", 0.9), width, height }));
  const line = Math.max(1.5, width / 600);
  const b = transport.boxes.values;
  for (const i of painter.visible(transport.shown)) {
    const layer = LAYERS[b[i + LAYER]];
    const colour = painter.colour(i);
    const dash = layer.dash ? { "stroke-dasharray": layer.dash.join(" ") } : {};
    svg.append(
      make("rect", {
        x: b[i + X],
        y: b[i + Y],
        width: b[i + W],
        height: b[i + H],
        fill: "none",
        stroke: colour,
        "stroke-width": line,
        ...dash,
      }),
    );
    const text = make("text", {
      x: b[i + X] + line,
      y: b[i + Y] - 2 * line,
      fill: colour,
      "font-size": line * 7,
      "font-family": "system-ui, sans-serif",
      "font-weight": 600,
      stroke: "#000",
      "stroke-width": line,
      "paint-order": "stroke",
    });
    text.textContent = layer.id === "selected_gt_id" ? `person ${b[i + ID]}` : String(b[i + ID]);
    svg.append(text);
  }
  return new Blob([new XMLSerializer().serializeToString(svg)], { type: "image/svg+xml" });
}
