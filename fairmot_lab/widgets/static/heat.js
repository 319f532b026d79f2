// Heatmaps and similarity maps: drawn so that they can be seen, with a bar that says what the colours mean.
import { COLOURS } from "./colours.js";
import { clamp, octets } from "./numbers.js";
/** @typedef {import("./types").Model} Model */
/** @typedef {import("./types").Overlay} Overlay */
/** @typedef {import("./types").Viewport} Viewport */
/** @typedef {import("./stage.js").Stage} Stage */
/** @typedef {import("./labels.js").Label} Label */

const PEAK = 7; // numbers of a peak: cell x, cell y, score, box x, y, w, h
const VEIL = 0.38; // how dark the frame becomes under the map
const TICKS = 5;

export class HeatPainter {
  /** @param {Model} model */
  constructor(model) {
    this.model = model;
    this.canvas = document.createElement("canvas");
    /** @type {Overlay | null} */
    this.drawn = null;
    this.key = "";
  }

  /**
   * Take the colours out of the frame, so that those of the map stand out. Blending is understood by every browser.
   * @param {CanvasRenderingContext2D} g
   * @param {Viewport} viewport
   */
  dim(g, viewport) {
    const only = this.model.get("overlay_mode") === "heat";
    g.save();
    g.globalCompositeOperation = "saturation";
    g.fillStyle = "hsl(0, 0%, 50%)";
    g.fillRect(viewport.x, viewport.y, viewport.width, viewport.height);
    g.restore();
    g.fillStyle = only ? "#000" : `rgba(0, 0, 0, ${VEIL})`;
    g.fillRect(viewport.x, viewport.y, viewport.width, viewport.height);
  }

  /**
   * The share of the colour map that a value stands for; the gamma lifts weak values.
   * @param {Overlay} overlay
   * @param {number} value
   */
  share(overlay, value) {
    return clamp((value - overlay.low) / (overlay.high - overlay.low || 1), 0, 1) ** this.model.get("overlay_gamma");
  }

  /**
   * One pixel per cell.
   * @param {Overlay} overlay
   */
  fill(overlay) {
    const lut = octets(this.model.get("overlay_colours"));
    const only = this.model.get("overlay_mode") === "heat";
    const key = `${lut.join()}/${this.model.get("overlay_gamma")}/${only}`;
    if (this.drawn === overlay && this.key === key) return;
    const { columns, rows, values } = overlay;
    const image = new ImageData(columns, rows);
    const data = image.data;
    for (let i = 0; i < columns * rows; i++) {
      const share = this.share(overlay, values[i]);
      const v = 3 * Math.round(share * 255);
      data[4 * i] = lut[v];
      data[4 * i + 1] = lut[v + 1];
      data[4 * i + 2] = lut[v + 2];
      data[4 * i + 3] = only ? 255 : 255 * Math.min(1, share * 1.6); // where there is little to see, see the frame
    }
    this.canvas.width = columns;
    this.canvas.height = rows;
    this.canvas.getContext("2d")?.putImageData(image, 0, 0);
    this.drawn = overlay;
    this.key = key;
  }

  /**
   * Place of a cell's corner in device pixels.
   * @param {Stage} stage
   * @param {Viewport} viewport
   * @param {Overlay} overlay
   * @param {number} column
   * @param {number} row
   */
  at(stage, viewport, overlay, column, row) {
    const { stride, scale, pad_x: padX, pad_y: padY } = overlay;
    return stage.toScreen(viewport, (column * stride - padX) / scale, (row * stride - padY) / scale);
  }

  /**
   * @param {CanvasRenderingContext2D} g
   * @param {Stage} stage
   * @param {Viewport} viewport
   * @param {Overlay} overlay
   */
  paint(g, stage, viewport, overlay) {
    const opacity = this.model.get("overlay_opacity");
    if (!overlay.columns || opacity <= 0) return;
    this.dim(g, viewport);
    this.fill(overlay);
    const [x, y] = this.at(stage, viewport, overlay, 0, 0);
    const [right, bottom] = this.at(stage, viewport, overlay, overlay.columns, overlay.rows);
    g.globalAlpha = opacity;
    g.imageSmoothingEnabled = this.model.get("smooth");
    g.drawImage(this.canvas, x, y, right - x, bottom - y);
    g.globalAlpha = 1;
    this.contour(g, stage, viewport, overlay);
  }

  /**
   * The edge between cells on either side of the threshold.
   * @param {CanvasRenderingContext2D} g
   * @param {Stage} stage
   * @param {Viewport} viewport
   * @param {Overlay} overlay
   */
  contour(g, stage, viewport, overlay) {
    const { columns, rows, values } = overlay;
    const floor = this.model.get("overlay_floor");
    if (floor <= overlay.low) return;
    const edges = new Path2D();
    const over = (/** @type {number} */ c, /** @type {number} */ r) =>
      c >= 0 && r >= 0 && c < columns && r < rows && values[r * columns + c] >= floor;
    const line = (
      /** @type {number} */ c0,
      /** @type {number} */ r0,
      /** @type {number} */ c1,
      /** @type {number} */ r1,
    ) => {
      const [x0, y0] = this.at(stage, viewport, overlay, c0, r0);
      const [x1, y1] = this.at(stage, viewport, overlay, c1, r1);
      edges.moveTo(x0, y0);
      edges.lineTo(x1, y1);
    };
    for (let i = 0; i < values.length; i++) {
      if (values[i] < floor) continue;
      const c = i % columns;
      const r = (i - c) / columns;
      if (!over(c - 1, r)) line(c, r, c, r + 1);
      if (!over(c + 1, r)) line(c + 1, r, c + 1, r + 1);
      if (!over(c, r - 1)) line(c, r, c + 1, r);
      if (!over(c, r + 1)) line(c, r + 1, c + 1, r + 1);
    }
    g.strokeStyle = "#fff";
    g.lineWidth = 1.25 * stage.ratio;
    g.setLineDash([]);
    g.stroke(edges);
  }

  /**
   * Crosses for peaks that pass, rings for those that do not; both spare the middle. Adds the labels of their boxes.
   * @param {CanvasRenderingContext2D} g
   * @param {Stage} stage
   * @param {Viewport} viewport
   * @param {Overlay} overlay
   * @param {Label[]} labels
   */
  peaks(g, stage, viewport, overlay, labels) {
    const p = overlay.peaks;
    const floor = this.model.get("overlay_floor");
    const ratio = stage.ratio;
    const inner = Math.max(6 * ratio, ((overlay.stride / overlay.scale) * stage.scale) / 2 + 3 * ratio);
    const outer = inner + 5 * ratio;
    for (let i = 0; i < p.length; i += PEAK) {
      const passes = p[i + 2] >= floor;
      const active = this.model.get("active_peak") === i / PEAK;
      if (!passes && !active && i / PEAK > 40) continue; // weak peaks by the hundred hide the picture
      const [x, y] = this.at(stage, viewport, overlay, p[i] + 0.5, p[i + 1] + 0.5);
      const mark = new Path2D();
      if (passes || active)
        for (const [dx, dy] of [
          [1, 0],
          [-1, 0],
          [0, 1],
          [0, -1],
        ]) {
          mark.moveTo(x + dx * inner, y + dy * inner);
          mark.lineTo(x + dx * outer, y + dy * outer);
        }
      else {
        mark.moveTo(x + 3 * ratio, y);
        mark.arc(x, y, 3 * ratio, 0, 7);
      }
      const colour = active ? COLOURS.yellow : passes ? "#fff" : "#bbb";
      g.strokeStyle = "rgba(0, 0, 0, .7)";
      g.lineWidth = (active ? 5 : passes ? 3.5 : 2.5) * ratio;
      g.stroke(mark);
      g.strokeStyle = colour;
      g.lineWidth = (active ? 3 : passes ? 1.75 : 1) * ratio;
      g.stroke(mark);
      if ((!passes && !active) || p[i + 5] <= 0) continue;
      const [left, top] = stage.toScreen(viewport, p[i + 3], p[i + 4]);
      const box = { x: left, y: top, w: p[i + 5] * stage.scale, h: p[i + 6] * stage.scale };
      g.setLineDash(passes ? [] : [4 * ratio, 4 * ratio]);
      g.strokeStyle = active ? COLOURS.yellow : "rgba(255, 255, 255, .55)";
      g.lineWidth = (active ? 3 : 1) * ratio;
      g.strokeRect(box.x, box.y, box.w, box.h);
      g.setLineDash([]);
      labels.push({
        ...box,
        text: p[i + 2].toFixed(2),
        colour: active ? COLOURS.yellow : "#dddddd",
        below: false,
        rank: active ? 0 : 1,
        must: active,
      });
    }
  }

  /**
   * A bar at an edge that says which colour is which value; the threshold is marked.
   * @param {CanvasRenderingContext2D} g
   * @param {Stage} stage
   * @param {Viewport} viewport
   * @param {Overlay} overlay
   * @param {boolean} left
   */
  bar(g, stage, viewport, overlay, left) {
    const { ratio } = stage;
    const lut = octets(this.model.get("overlay_colours"));
    const height = Math.min(viewport.height - 40 * ratio, 170 * ratio);
    if (!overlay.columns || !lut.length || height < 40 * ratio) return;
    const width = 12 * ratio;
    const x = viewport.x + (left ? 12 * ratio : viewport.width - width - 40 * ratio);
    const y = viewport.y + 26 * ratio;
    g.fillStyle = "rgba(10, 12, 16, .72)";
    g.fillRect(x - 8 * ratio, y - 20 * ratio, width + 44 * ratio, height + 28 * ratio);
    for (let k = 0; k < height; k++) {
      const v = 3 * Math.round((1 - k / height) * 255);
      g.fillStyle = `rgb(${lut[v]}, ${lut[v + 1]}, ${lut[v + 2]})`;
      g.fillRect(x, y + k, width, 1.5);
    }
    g.strokeStyle = "rgba(255, 255, 255, .6)";
    g.lineWidth = ratio;
    g.strokeRect(x, y, width, height);
    g.fillStyle = "#fff";
    g.font = `${11 * ratio}px system-ui, sans-serif`;
    g.textAlign = "left";
    g.textBaseline = "middle";
    let above = -Infinity;
    for (let k = TICKS; k >= 0; k--) {
      const value = overlay.low + ((overlay.high - overlay.low) * k) / TICKS;
      const at = y + (1 - this.share(overlay, value)) * height;
      if (at - above < 11 * ratio) continue; // the gamma crowds the upper values
      above = at;
      g.fillRect(x + width, at - ratio / 2, 3 * ratio, ratio);
      g.fillText(value.toFixed(1), x + width + 6 * ratio, at);
    }
    g.textBaseline = "alphabetic";
    g.fillText(overlay.label, x - 4 * ratio, y - 7 * ratio);
    const floor = this.model.get("overlay_floor");
    if (floor > overlay.low && floor <= overlay.high) {
      const at = y + (1 - this.share(overlay, floor)) * height;
      g.fillRect(x - 4 * ratio, at - ratio, width + 4 * ratio, 2 * ratio);
    }
  }
}
