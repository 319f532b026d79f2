// A matrix of numbers, with pictures of what its rows and columns stand for along the sides.
import { caption, errorBanner, frameOf, keepKeys, noteOf } from "./chrome.js";
import { fitCanvas, hatch, themeOf } from "./canvas.js";
import { COLOURS } from "./colours.js";
import { h } from "./dom.js";
import { bitmapOf, clamp, counted, floats, octets } from "./numbers.js";
import { oncePerFrame, setTraits, widgetOf } from "./scope.js";
/** @typedef {import("./types").Model} Model */
/** @typedef {import("./types").Scope} Scope */
/** @typedef {[number, number]} Cell */

const LEAST_CELL = 7;
const MOST_CELL = 56;
const READABLE_CELL = 26; // numbers are written from here on
const CROP = 46;
const TALL = 400; // pixels that the cells of a matrix may take before it scrolls, if they stay readable

class MatrixView {
  /**
   * @param {Model} model
   * @param {HTMLElement} el
   * @param {Scope} scope
   */
  constructor(model, el, scope) {
    this.model = model;
    /** @type {Map<string, ImageBitmap | null>} */
    this.pictures = new Map();
    /** @type {string[]} */
    this.rows = [];
    /** @type {string[]} */
    this.columns = [];
    this.values = new Float32Array(0);
    this.masked = new Uint8Array(0);
    /** @type {Cell | null} */
    this.hover = null;
    this.turn = 0;
    this.left = this.top = this.cell = 0;
    const root = (this.root = frameOf(el, scope, "matrix", model.get("title") || "Matrix"));
    root.tabIndex = 0;
    this.caption = h("div", { class: "fml-caption" });
    this.canvas = h("canvas", { role: "img" });
    this.box = h("div", { class: "fml-scroll" }, this.canvas);
    this.more = h("div", { class: "fml-more", "aria-hidden": "true", hidden: true });
    this.readout = h("div", { class: "fml-readout", role: "status", "aria-live": "polite" });
    this.text = h("div", { class: "fml-reason", role: "status", "aria-live": "polite" });
    root.append(
      errorBanner(model, scope, root).element,
      this.caption,
      this.box,
      this.more,
      this.readout,
      this.text,
      noteOf(model, scope),
    );
    scope.model(
      "change:values change:rows change:columns change:row_crops change:column_crops change:pairs change:limit change:title change:masked",
      oncePerFrame(scope, () => this.load()),
    );
    scope.model("change:selected change:colours", () => {
      this.paint();
      this.reveal();
      this.describe();
    });
    scope.model("change:text", () => this.explain());
    scope.resize(root, () => this.paint());
    scope.theme(() => this.paint());
    scope.dom(this.box, "scroll", () => this.sayMore());
    scope.dom(this.canvas, "pointermove", (event) => {
      this.hover = this.cellAt(event);
      this.describe();
    });
    scope.dom(this.canvas, "pointerleave", () => {
      this.hover = null;
      this.describe();
    });
    scope.dom(this.canvas, "click", (event) => {
      const cell = this.cellAt(event);
      root.focus({ preventScroll: true });
      if (cell) this.pick(...cell);
    });
    keepKeys(scope, root);
    scope.dom(root, "keydown", (event) => this.key(event));
    scope.also(() => {
      this.turn++; // pictures that are being decoded come too late
      this.forgetPictures();
    });
    this.load();
    this.explain();
  }

  async load() {
    const { model } = this;
    const turn = ++this.turn;
    this.values = floats(model.get("values"));
    this.masked = octets(model.get("masked"));
    this.rows = model.get("rows");
    this.columns = model.get("columns");
    this.paint();
    this.describe();
    /** @type {[string, any][]} */
    const crops = [
      ...model.get("row_crops").map((/** @type {any} */ c, /** @type {number} */ i) => [`r${i}`, c]),
      ...model.get("column_crops").map((/** @type {any} */ c, /** @type {number} */ i) => [`c${i}`, c]),
    ];
    const bitmaps = await Promise.all(crops.map(([, bytes]) => bitmapOf(bytes)));
    if (turn !== this.turn) {
      for (const bitmap of bitmaps) bitmap?.close();
      return;
    }
    this.forgetPictures();
    this.pictures = new Map(crops.map(([key], i) => [key, bitmaps[i]]));
    this.paint();
  }

  forgetPictures() {
    for (const bitmap of this.pictures.values()) bitmap?.close();
    this.pictures.clear();
  }

  measure() {
    const n = this.columns.length;
    const m = this.rows.length;
    const wide = Math.max(120, this.root.clientWidth - 18); // a scrollbar takes room
    const withCrops = (this.model.get("row_crops").length || this.model.get("column_crops").length) > 0;
    this.left = 44 + (withCrops ? CROP : 0);
    this.cell = clamp(Math.floor((wide - this.left) / Math.max(1, n)), LEAST_CELL, MOST_CELL);
    const fitting = Math.floor(TALL / Math.max(1, m));
    this.cell = Math.min(this.cell, Math.max(Math.min(this.cell, READABLE_CELL), fitting));
    this.top = 20 + (withCrops && this.cell >= 16 ? CROP * 1.6 : 0);
    return [this.left + n * this.cell + 2, this.top + m * this.cell + 2];
  }

  paint() {
    const { model, canvas, rows, columns } = this;
    const [width, height] = this.measure();
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
    const ratio = fitCanvas(canvas, width, height);
    const g = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    const colours = themeOf(this.root);
    caption(this.caption, model.get("title"));
    g.setTransform(ratio, 0, 0, ratio, 0, 0);
    g.clearRect(0, 0, width, height);
    canvas.dataset.cells = rows.length * columns.length;
    this.box.hidden = !rows.length || !columns.length;
    this.sayMore();
    if (this.box.hidden) return;
    this.paintCells(g, colours);
    this.paintMarks(g, colours);
    this.paintSides(g, colours);
    const chosen = counted(model.get("pairs").length, "pair");
    canvas.setAttribute(
      "aria-label",
      `${model.get("title")}: ${counted(rows.length, "row")}, ${counted(columns.length, "column")}, ${chosen} chosen. Arrow keys move, Enter asks why.`,
    );
  }

  /**
   * @param {CanvasRenderingContext2D} g
   * @param {Record<string, string>} colours
   */
  paintCells(g, colours) {
    const { model, cell } = this;
    const lut = octets(model.get("colours"));
    const low = model.get("low");
    const high = model.get("high");
    const limit = model.get("limit");
    const below = model.get("accept_below");
    g.textAlign = "center";
    g.textBaseline = "middle";
    for (let k = 0; k < this.values.length; k++) {
      const v = this.values[k];
      const c = k % this.columns.length;
      const x = this.left + c * cell;
      const y = this.top + ((k - c) / this.columns.length) * cell;
      const known = Number.isFinite(v);
      const at = known ? clamp(Math.round(((v - low) / (high - low)) * 255), 0, 255) : 0;
      const shade = lut.length ? [lut[3 * at], lut[3 * at + 1], lut[3 * at + 2]] : [at, at, at];
      g.fillStyle = known ? `rgb(${shade})` : colours.back;
      g.fillRect(x, y, cell, cell);
      if (known && cell >= READABLE_CELL) {
        g.fillStyle = 0.3 * shade[0] + 0.6 * shade[1] + 0.1 * shade[2] > 130 ? "#000" : "#fff";
        g.font = `${Math.min(12, cell / 2.9)}px system-ui, sans-serif`;
        g.fillText(v.toFixed(2), x + cell / 2, y + cell / 2);
      }
      if (this.masked[k] || !known) {
        g.strokeStyle = known ? "rgba(128,128,128,.9)" : colours.dim; // outside the gate
        g.lineWidth = 0.5;
        hatch(g, x, y, cell, cell, Math.max(3, cell / 5));
      } else if (limit !== null && (below ? v <= limit : v >= limit)) {
        g.strokeStyle = colours.text; // inside the threshold: a frame of dots
        g.lineWidth = 1;
        g.setLineDash([2, 2]);
        g.strokeRect(x + 1.5, y + 1.5, cell - 3, cell - 3);
        g.setLineDash([]);
      }
    }
  }

  /**
   * @param {CanvasRenderingContext2D} g
   * @param {Record<string, string>} colours
   */
  paintMarks(g, colours) {
    const { model, cell, rows, columns } = this;
    g.strokeStyle = colours.line;
    g.lineWidth = 1;
    g.strokeRect(this.left - 0.5, this.top - 0.5, columns.length * cell + 1, rows.length * cell + 1);
    for (const [r, c] of model.get("pairs")) {
      // chosen: a double frame, readable on any colour
      const x = this.left + c * cell;
      const y = this.top + r * cell;
      g.strokeStyle = "#000";
      g.lineWidth = 4;
      g.strokeRect(x + 2, y + 2, cell - 4, cell - 4);
      g.strokeStyle = "#fff";
      g.lineWidth = 2;
      g.strokeRect(x + 2, y + 2, cell - 4, cell - 4);
    }
    const [r, c] = model.get("selected");
    if (r < 0 || r >= rows.length || c >= columns.length) return;
    g.strokeStyle = COLOURS.orange;
    g.lineWidth = 3;
    g.strokeRect(this.left + c * cell - 1, this.top + r * cell - 1, cell + 2, cell + 2);
  }

  /**
   * @param {CanvasRenderingContext2D} g
   * @param {Record<string, string>} colours
   */
  paintSides(g, colours) {
    const { cell } = this;
    g.fillStyle = colours.text;
    g.font = `${clamp(cell - 2, 7, 12)}px system-ui, sans-serif`;
    const fit = (
      /** @type {ImageBitmap} */ bitmap,
      /** @type {number} */ x,
      /** @type {number} */ y,
      /** @type {number} */ w,
      /** @type {number} */ tall,
    ) => {
      const s = Math.min(w / bitmap.width, tall / bitmap.height);
      g.drawImage(
        bitmap,
        x + (w - bitmap.width * s) / 2,
        y + (tall - bitmap.height * s) / 2,
        bitmap.width * s,
        bitmap.height * s,
      );
    };
    const everyRow = Math.ceil(11 / cell);
    const everyColumn = Math.ceil(22 / cell);
    this.rows.forEach((name, r) => {
      const y = this.top + r * cell;
      const bitmap = this.pictures.get(`r${r}`);
      if (bitmap && cell >= 12) fit(bitmap, 42, y + 1, CROP, cell - 2);
      g.textAlign = "right";
      if (r % everyRow === 0) g.fillText(name, 40, y + cell / 2);
    });
    this.columns.forEach((name, c) => {
      const x = this.left + c * cell;
      const bitmap = this.pictures.get(`c${c}`);
      if (bitmap && cell >= 16) fit(bitmap, x + 1, 18, cell - 2, this.top - 20);
      g.textAlign = "center";
      if (c % everyColumn === 0) g.fillText(name, x + cell / 2, 9);
    });
  }

  /** Say that there is more than what is on show: scrollbars alone are overlooked, or hidden by the system. */
  sayMore() {
    const { box } = this;
    const below = box.scrollHeight - box.clientHeight - box.scrollTop > 2;
    const right = box.scrollWidth - box.clientWidth - box.scrollLeft > 2;
    const left = below ? Math.ceil((box.scrollHeight - box.clientHeight - box.scrollTop) / this.cell) : 0;
    const words = [
      below ? `↓ ${counted(Math.min(left, this.rows.length), "more row")}` : "",
      right ? "→ more columns" : "",
    ].filter(Boolean);
    this.more.textContent = words.join(", ");
    this.more.hidden = !words.length || box.hidden;
  }

  /** Scroll the selected cell into view. */
  reveal() {
    const [r, c] = this.model.get("selected");
    if (r < 0) return;
    const { box, cell } = this;
    const y = this.top + r * cell;
    const x = this.left + c * cell;
    if (y + cell > box.scrollTop + box.clientHeight) box.scrollTop = y + cell - box.clientHeight + 4;
    if (y < box.scrollTop) box.scrollTop = r ? y - 4 : 0;
    if (x + cell > box.scrollLeft + box.clientWidth) box.scrollLeft = x + cell - box.clientWidth + 4;
    if (x < box.scrollLeft) box.scrollLeft = c ? x - 4 : 0;
  }

  /**
   * @param {PointerEvent} event
   * @returns {Cell | null}
   */
  cellAt(event) {
    const box = this.canvas.getBoundingClientRect();
    const c = Math.floor((event.clientX - box.left - this.left) / this.cell);
    const r = Math.floor((event.clientY - box.top - this.top) / this.cell);
    return r >= 0 && c >= 0 && r < this.rows.length && c < this.columns.length ? [r, c] : null;
  }

  describe() {
    const { model } = this;
    const cell = this.hover || (model.get("selected")[0] >= 0 ? model.get("selected") : null);
    if (!this.rows.length || !this.columns.length) {
      this.readout.textContent = model.get("empty");
      return;
    }
    if (!cell || cell[0] >= this.rows.length || cell[1] >= this.columns.length) {
      this.readout.textContent = model.get("hint");
      return;
    }
    const [r, c] = cell;
    const k = r * this.columns.length + c;
    const v = this.values[k];
    const chosen = model.get("pairs").some((/** @type {Cell} */ [a, b]) => a === r && b === c);
    const parts = [
      `${model.get("row_name")} ${this.rows[r]} × ${model.get("column_name")} ${this.columns[c]}: ${Number.isFinite(v) ? v.toFixed(4) : "not compared"}`,
    ];
    if (this.masked[k]) parts.push("outside the gate");
    if (chosen) parts.push("chosen");
    this.readout.textContent = parts.join(", ");
  }

  /** Sentences from the kernel, or those that a page without one carries for every cell. */
  explain() {
    const held = this.model.get("texts");
    const [r, c] = this.model.get("selected");
    this.text.textContent = held && held[`${r},${c}`] !== undefined ? held[`${r},${c}`] : this.model.get("text");
    this.text.hidden = !this.text.textContent;
  }

  /**
   * @param {number} r
   * @param {number} c
   */
  pick(r, c) {
    setTraits(this.model, { selected: [r, c] });
    this.explain();
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    /** @type {Record<string, Cell>} */
    const moves = {
      ArrowLeft: [0, -1],
      ArrowRight: [0, 1],
      ArrowUp: [-1, 0],
      ArrowDown: [1, 0],
      Enter: [0, 0],
      " ": [0, 0],
    };
    const move = moves[event.key];
    if (!move || !this.rows.length || !this.columns.length) return;
    event.preventDefault();
    const [r, c] = this.model.get("selected");
    const at = r < 0 ? [0, 0] : move; // the first key selects the first cell
    this.pick(
      clamp(Math.max(0, r) + at[0], 0, this.rows.length - 1),
      clamp(Math.max(0, c) + at[1], 0, this.columns.length - 1),
    );
  }
}

export default widgetOf(MatrixView);
