// Labels of boxes that do not cover each other.
import { inkOn } from "./colours.js";
import { clamp } from "./numbers.js";

/**
 * @typedef {object} Label
 * @property {string} text
 * @property {string} colour "#rrggbb"
 * @property {number} x of the box, in device pixels
 * @property {number} y
 * @property {number} w
 * @property {number} h
 * @property {boolean} below whether it belongs under the box
 * @property {number} rank the lowest is placed first
 * @property {boolean} must whether it is drawn even where there is no room
 */
/** @typedef {{x: number, y: number, width: number, height: number}} Box */

const MANY = 30; // labels above which they are written smaller
const LIFTS = 5; // how many lines above its box a label may be lifted, with a leader line

/** @type {Map<string, number>} */
const widths = new Map();

/**
 * @param {CanvasRenderingContext2D} g
 * @param {string} text
 */
function widthOf(g, text) {
  const key = `${g.font}/${text}`;
  let width = widths.get(key);
  if (width === undefined) {
    if (widths.size > 5000) widths.clear();
    width = g.measureText(text).width;
    widths.set(key, width);
  }
  return width;
}

/**
 * Draw labels, the most important first; one that finds no free place is lifted above its box, or left out.
 * @param {CanvasRenderingContext2D} g
 * @param {Label[]} labels
 * @param {Box} bounds
 * @param {number} ratio device pixels per CSS pixel
 */
export function drawLabels(g, labels, bounds, ratio) {
  const size = (labels.length > MANY ? 10.5 : 12) * ratio;
  const height = size + 4 * ratio;
  g.font = `600 ${size}px system-ui, sans-serif`;
  g.textBaseline = "alphabetic";
  g.textAlign = "left";
  /** @type {number[]} */
  const taken = []; // left, top, right, bottom of each label placed
  const free = (/** @type {number} */ x, /** @type {number} */ y, /** @type {number} */ w) => {
    if (y < bounds.y || y + height > bounds.y + bounds.height) return false;
    for (let i = 0; i < taken.length; i += 4)
      if (x < taken[i + 2] && x + w > taken[i] && y < taken[i + 3] && y + height > taken[i + 1]) return false;
    return true;
  };
  for (const label of labels.sort((a, b) => a.rank - b.rank)) {
    const width = widthOf(g, label.text) + 6 * ratio;
    const inside = (/** @type {number} */ x) => clamp(x, bounds.x, bounds.x + bounds.width - width); // people at the edge keep their number
    const left = inside(label.x);
    const right = inside(label.x + label.w - width);
    const above = label.y - height;
    const under = label.y + label.h;
    /** @type {[number, number][]} */
    const places = label.below
      ? [
          [left, under],
          [right, under],
          [left, under - height],
          [right, under - height],
        ]
      : [
          [left, above],
          [right, above],
          [left, label.y],
          [right, label.y],
          [left, under],
        ];
    let place = places.find(([x, y]) => free(x, y, width));
    let lifted = false;
    for (let k = 1; !place && k <= LIFTS; k++) {
      const y = label.below ? under + k * height : above - k * height;
      for (const x of [left, right]) if (!place && free(x, y, width)) place = [x, y];
      lifted = Boolean(place);
    }
    if (!place) {
      if (!label.must) continue;
      place = [left, clamp(above, bounds.y, bounds.y + bounds.height - height)];
    }
    const [x, y] = place;
    taken.push(x, y, x + width, y + height);
    if (lifted) {
      g.strokeStyle = label.colour;
      g.lineWidth = ratio;
      g.beginPath();
      g.moveTo(x + width / 2, label.below ? y : y + height);
      g.lineTo(label.x + label.w / 2, label.below ? label.y + label.h : label.y);
      g.stroke();
    }
    g.fillStyle = label.colour;
    g.fillRect(x, y, width, height);
    g.fillStyle = inkOn(label.colour);
    g.fillText(label.text, x + 3 * ratio, y + size);
  }
}
