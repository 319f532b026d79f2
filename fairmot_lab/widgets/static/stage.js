// Where things are: the frame lies once or twice on the canvas, and can be zoomed and moved.
import { fitCanvas } from "./canvas.js";
import { clamp } from "./numbers.js";
/** @typedef {import("./types").Viewport} Viewport */

const GAP = 2; // CSS pixels between two pictures
const MAX_ZOOM = 16;

export class Stage {
  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.canvas = canvas;
    this.ratio = 1; // device pixels per CSS pixel
    this.scale = 1; // device pixels per pixel of the image
    this.size = { width: 1, height: 1 }; // of the image
    this.zoom = { scale: 1, x: 0, y: 0 }; // the part on show: its corner in pixels of the image
    /** @type {Viewport[]} */
    this.viewports = [];
  }

  /**
   * Divide the canvas among viewports, which show the image side by side.
   * @param {number} width of the canvas in CSS pixels
   * @param {number} height
   * @param {{width: number, height: number}} image
   * @param {{tracker: number, heat: boolean, title: string}[]} parts
   */
  divide(width, height, image, parts) {
    this.ratio = fitCanvas(this.canvas, width, height);
    this.size = image;
    const gap = GAP * this.ratio;
    const room = (this.canvas.width - gap * (parts.length - 1)) / parts.length;
    const fit = Math.min(room / image.width, this.canvas.height / image.height);
    const w = image.width * fit;
    const tall = image.height * fit;
    this.viewports = parts.map((part, k) => ({
      ...part,
      x: k * (room + gap) + (room - w) / 2,
      y: (this.canvas.height - tall) / 2,
      width: w,
      height: tall,
    }));
    this.scale = fit * this.zoom.scale;
  }

  /**
   * Device pixels of a point of the image.
   * @param {Viewport} viewport
   * @param {number} x
   * @param {number} y
   * @returns {[number, number]}
   */
  toScreen(viewport, x, y) {
    return [(x - this.zoom.x) * this.scale + viewport.x, (y - this.zoom.y) * this.scale + viewport.y];
  }

  /**
   * The point of the image under a pointer, and the viewport it lies in.
   * @param {{clientX: number, clientY: number}} event
   */
  toImage(event) {
    const box = this.canvas.getBoundingClientRect();
    const px = ((event.clientX - box.left) * this.canvas.width) / Math.max(1, box.width);
    const py = ((event.clientY - box.top) * this.canvas.height) / Math.max(1, box.height);
    const viewport =
      this.viewports.find((v) => px < v.x + v.width + GAP * this.ratio) || this.viewports[this.viewports.length - 1];
    return {
      viewport,
      x: (px - viewport.x) / this.scale + this.zoom.x,
      y: (py - viewport.y) / this.scale + this.zoom.y,
    };
  }

  /**
   * @param {number} scale
   * @param {number} x left edge of the part on show
   * @param {number} y
   */
  zoomTo(scale, x, y) {
    scale = clamp(scale, 1, MAX_ZOOM);
    const { width, height } = this.size;
    this.zoom = { scale, x: clamp(x, 0, width - width / scale), y: clamp(y, 0, height - height / scale) };
  }

  /**
   * Zoom about a point of the image, by default the middle of the part on show.
   * @param {number} factor
   * @param {number} [x]
   * @param {number} [y]
   */
  zoomBy(factor, x, y) {
    const old = this.zoom;
    x ??= old.x + this.size.width / old.scale / 2;
    y ??= old.y + this.size.height / old.scale / 2;
    const scale = clamp(old.scale * factor, 1, MAX_ZOOM);
    this.zoomTo(scale, x - ((x - old.x) * old.scale) / scale, y - ((y - old.y) * old.scale) / scale);
  }

  /**
   * Bring a box into view if the picture is zoomed.
   * @param {number} x
   * @param {number} y
   * @param {number} w
   * @param {number} h
   */
  reveal(x, y, w, h) {
    const { scale, x: left, y: top } = this.zoom;
    if (scale <= 1) return;
    const wide = this.size.width / scale;
    const tall = this.size.height / scale;
    if (x >= left && y >= top && x + w <= left + wide && y + h <= top + tall) return;
    this.zoomTo(scale, x + w / 2 - wide / 2, y + h / 2 - tall / 2);
  }
}
