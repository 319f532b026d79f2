// A matrix of numbers, with pictures of what its rows and columns stand for along the sides.
import { h, frameOf, errorBanner, noteOf, makeScope, themeOf, fitCanvas, floats, octets, clamp, setTraits, COLOURS } from "./common.js";

const LEAST_CELL = 7, MOST_CELL = 56, CROP = 46;

class MatrixView {
  constructor(model, el) {
    this.model = model;
    this.scope = makeScope(model);
    this.pictures = new Map();
    const root = this.root = frameOf(el, "matrix", model.get("title") || "Matrix");
    root.tabIndex = 0;
    this.caption = h("div", { class: "fml-caption" });
    this.canvas = h("canvas", { role: "img" });
    this.box = h("div", { class: "fml-scroll" }, this.canvas);
    this.readout = h("div", { class: "fml-readout", role: "status", "aria-live": "polite" });
    this.text = h("div", { class: "fml-reason", role: "status", "aria-live": "polite" });
    root.append(errorBanner(model, this.scope).element, this.caption, this.box, this.readout, this.text, noteOf(model, this.scope));
    const { scope } = this;
    scope.model("change:values change:rows change:columns change:row_crops change:column_crops change:pairs change:limit change:title change:masked", () => this.later());
    scope.model("change:selected change:colours", () => { this.paint(); this.describe(); });
    scope.model("change:text", () => this.explain());
    scope.resize(root, () => this.paint());
    scope.theme(() => this.paint());
    scope.dom(this.canvas, "pointermove", event => { this.hover = this.cellAt(event); this.describe(); });
    scope.dom(this.canvas, "pointerleave", () => { this.hover = null; this.describe(); });
    scope.dom(this.canvas, "click", event => { const cell = this.cellAt(event); root.focus({ preventScroll: true }); if (cell) this.pick(...cell); });
    scope.dom(root, "keydown", event => this.key(event));
    this.load();
    this.explain();
  }

  /** Several traits change together: draw once. */
  later() {
    cancelAnimationFrame(this.soon);
    this.soon = requestAnimationFrame(() => this.load());
  }

  async load() {
    const { model } = this, turn = this.turn = (this.turn || 0) + 1;
    this.values = floats(model.get("values"));
    this.masked = octets(model.get("masked"));
    this.rows = model.get("rows"); this.columns = model.get("columns");
    this.paint();
    this.describe();
    const crops = [...model.get("row_crops").map((c, i) => [`r${i}`, c]), ...model.get("column_crops").map((c, i) => [`c${i}`, c])];
    const decoded = await Promise.all(crops.map(async ([key, bytes]) => {
      try { return [key, bytes && bytes.byteLength ? await createImageBitmap(new Blob([octets(bytes)])) : null]; } catch { return [key, null]; }
    }));
    if (this.dead || turn !== this.turn) { for (const [, bitmap] of decoded) bitmap?.close(); return; }
    this.forgetPictures();
    this.pictures = new Map(decoded);
    this.paint();
  }

  forgetPictures() { for (const bitmap of this.pictures.values()) bitmap?.close(); this.pictures.clear(); }

  measure() {
    const n = this.columns.length, m = this.rows.length, wide = Math.max(120, this.root.clientWidth - 4);
    this.withCrops = (this.model.get("row_crops").length || this.model.get("column_crops").length) > 0;
    this.left = 44 + (this.withCrops ? CROP : 0);
    this.cell = clamp(Math.floor((wide - this.left) / Math.max(1, n)), LEAST_CELL, MOST_CELL);
    this.cell = Math.min(this.cell, Math.max(LEAST_CELL, Math.floor(1100 / Math.max(1, m)))); // tall matrices stay on one screen while their cells can be seen
    this.top = 20 + (this.withCrops && this.cell >= 16 ? CROP * 1.6 : 0);
    return [this.left + n * this.cell + 2, this.top + m * this.cell + 2];
  }

  paint() {
    if (!this.rows) return;
    const { model, canvas } = this, rows = this.rows, columns = this.columns, [width, height] = this.measure();
    canvas.style.width = `${width}px`; canvas.style.height = `${height}px`;
    const ratio = fitCanvas(canvas, width, height), g = canvas.getContext("2d"), colours = themeOf(this.root), cell = this.cell;
    this.caption.textContent = model.get("title");
    this.caption.hidden = !model.get("title");
    g.setTransform(ratio, 0, 0, ratio, 0, 0);
    g.clearRect(0, 0, width, height);
    canvas.dataset.cells = rows.length * columns.length;
    if (!rows.length || !columns.length) return;
    const lut = octets(model.get("colours")), low = model.get("low"), high = model.get("high"), limit = model.get("limit"), below = model.get("accept_below");
    g.textAlign = "center"; g.textBaseline = "middle";
    for (let r = 0; r < rows.length; r++) for (let c = 0; c < columns.length; c++) {
      const k = r * columns.length + c, v = this.values[k], x = this.left + c * cell, y = this.top + r * cell;
      const at = clamp(Math.round((v - low) / (high - low) * 255), 0, 255);
      const shade = lut.length ? [lut[3 * at], lut[3 * at + 1], lut[3 * at + 2]] : [at, at, at];
      if (!Number.isFinite(v)) {
        g.fillStyle = colours.back; g.fillRect(x, y, cell, cell);
      } else {
        g.fillStyle = `rgb(${shade})`; g.fillRect(x, y, cell, cell);
        if (cell >= 26) {
          g.fillStyle = 0.3 * shade[0] + 0.6 * shade[1] + 0.1 * shade[2] > 130 ? "#000" : "#fff";
          g.font = `${Math.min(12, cell / 3)}px system-ui, sans-serif`;
          g.fillText(v.toFixed(2), x + cell / 2, y + cell / 2);
        }
      }
      if (this.masked[k] || !Number.isFinite(v)) { // outside the gate: hatched
        g.strokeStyle = Number.isFinite(v) ? "rgba(128,128,128,.9)" : colours.line; g.lineWidth = 1;
        g.save(); g.beginPath(); g.rect(x, y, cell, cell); g.clip(); g.beginPath();
        for (let d = -cell; d < cell; d += Math.max(3, cell / 5)) { g.moveTo(x + d, y + cell); g.lineTo(x + d + cell, y); }
        g.stroke(); g.restore();
      } else if (limit !== null && Number.isFinite(v) && (below ? v <= limit : v >= limit)) { // inside the threshold: a frame of dots
        g.strokeStyle = colours.text; g.lineWidth = 1; g.setLineDash([2, 2]); g.strokeRect(x + 1.5, y + 1.5, cell - 3, cell - 3); g.setLineDash([]);
      }
    }
    g.strokeStyle = colours.line; g.lineWidth = 1;
    g.strokeRect(this.left - 0.5, this.top - 0.5, columns.length * cell + 1, rows.length * cell + 1);
    for (const [r, c] of model.get("pairs")) { // chosen: a double frame, readable on any colour
      const x = this.left + c * cell, y = this.top + r * cell;
      g.strokeStyle = "#000"; g.lineWidth = 4; g.strokeRect(x + 2, y + 2, cell - 4, cell - 4);
      g.strokeStyle = "#fff"; g.lineWidth = 2; g.strokeRect(x + 2, y + 2, cell - 4, cell - 4);
    }
    const [sr, sc] = model.get("selected");
    if (sr >= 0 && sr < rows.length && sc < columns.length) { g.strokeStyle = COLOURS.orange; g.lineWidth = 3; g.strokeRect(this.left + sc * cell - 1, this.top + sr * cell - 1, cell + 2, cell + 2); }
    g.fillStyle = colours.text;
    g.font = `${clamp(cell - 2, 7, 12)}px system-ui, sans-serif`;
    const fit = (bitmap, x, y, w, hgt) => { const s = Math.min(w / bitmap.width, hgt / bitmap.height); g.drawImage(bitmap, x + (w - bitmap.width * s) / 2, y + (hgt - bitmap.height * s) / 2, bitmap.width * s, bitmap.height * s); };
    const everyRow = Math.ceil(11 / cell), everyColumn = Math.ceil(22 / cell);
    rows.forEach((name, r) => {
      const y = this.top + r * cell, bitmap = this.pictures.get(`r${r}`);
      if (bitmap && cell >= 12) fit(bitmap, 42, y + 1, CROP, cell - 2);
      g.textAlign = "right";
      if (r % everyRow === 0) g.fillText(name, 40, y + cell / 2);
    });
    columns.forEach((name, c) => {
      const x = this.left + c * cell, bitmap = this.pictures.get(`c${c}`);
      if (bitmap && cell >= 16) fit(bitmap, x + 1, 18, cell - 2, this.top - 20);
      g.textAlign = "center";
      if (c % everyColumn === 0) g.fillText(name, x + cell / 2, 9);
    });
    canvas.setAttribute("aria-label", `${model.get("title")}: ${rows.length} rows, ${columns.length} columns, ${model.get("pairs").length} pairs chosen. Arrow keys move, Enter asks why.`);
  }

  cellAt(event) {
    const box = this.canvas.getBoundingClientRect();
    const c = Math.floor((event.clientX - box.left - this.left) / this.cell), r = Math.floor((event.clientY - box.top - this.top) / this.cell);
    return r >= 0 && c >= 0 && r < this.rows.length && c < this.columns.length ? [r, c] : null;
  }

  describe() {
    const { model } = this, cell = this.hover || (model.get("selected")[0] >= 0 ? model.get("selected") : null);
    if (!this.rows?.length || !this.columns?.length) { this.readout.textContent = model.get("empty"); return; }
    if (!cell || cell[0] >= this.rows.length || cell[1] >= this.columns.length) { this.readout.textContent = model.get("hint"); return; }
    const [r, c] = cell, v = this.values[r * this.columns.length + c];
    const chosen = model.get("pairs").some(([a, b]) => a === r && b === c);
    this.readout.textContent = `${model.get("row_name")} ${this.rows[r]} × ${model.get("column_name")} ${this.columns[c]}: ${Number.isFinite(v) ? v.toFixed(4) : "not compared"}`
      + `${this.masked[r * this.columns.length + c] ? ", outside the gate" : ""}${chosen ? ", chosen" : ""}`;
  }

  /** Sentences from the kernel, or those that a page without one carries for every cell. */
  explain() {
    const held = this.model.get("texts"), [r, c] = this.model.get("selected");
    this.text.textContent = held && held[`${r},${c}`] !== undefined ? held[`${r},${c}`] : this.model.get("text");
    this.text.hidden = !this.text.textContent;
  }

  pick(r, c) {
    setTraits(this.model, { selected: [r, c] });
    this.model.send({ kind: "pick", row: r, column: c });
    this.explain();
  }

  key(event) {
    if (event.key !== "Tab") event.stopPropagation();
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const move = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0], Enter: [0, 0], " ": [0, 0] }[event.key];
    if (!move || !this.rows.length || !this.columns.length) return;
    event.preventDefault();
    const [r, c] = this.model.get("selected");
    this.pick(clamp(Math.max(0, r) + (r < 0 ? 0 : move[0]), 0, this.rows.length - 1), clamp(Math.max(0, c) + (r < 0 ? 0 : move[1]), 0, this.columns.length - 1));
  }

  close() { this.dead = true; cancelAnimationFrame(this.soon); this.forgetPictures(); this.scope.close(); this.root.remove(); }
}

export default {
  render({ model, el }) {
    const view = new MatrixView(model, el);
    return () => view.close();
  },
};
