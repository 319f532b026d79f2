// Points in the plane, one per detection, coloured by identity; a crop appears where the pointer rests.
import { caption, errorBanner, frameOf, keepKeys, noteOf } from "./chrome.js";
import { fitCanvas, themeOf } from "./canvas.js";
import { colourOf } from "./colours.js";
import { h } from "./dom.js";
import { clamp, counted, floats, octets } from "./numbers.js";
import { setTraits, widgetOf } from "./scope.js";
/** @typedef {import("./types").Model} Model */
/** @typedef {import("./types").Scope} Scope */

const COLUMNS = 4; // of the trait `points`: x, y, id (negative: none), frame
const SHAPES = 4; // disc, square, triangle, diamond: identities that share a colour differ by shape

class ScatterView {
  /**
   * @param {Model} model
   * @param {HTMLElement} el
   * @param {Scope} scope
   */
  constructor(model, el, scope) {
    /** @type {any} */
    this.waiting = null;
    this.url = "";
    this.points = new Float32Array(0);
    this.range = [0, 1, 0, 1];
    this.ratio = 1;
    this.hover = -1;
    this.model = model;
    const root = (this.root = frameOf(el, scope, "scatter", model.get("title") || "Embeddings in the plane"));
    root.tabIndex = 0;
    this.caption = h("div", { class: "fml-caption" });
    this.canvas = h("canvas", { class: "fml-plane", role: "img" });
    this.tip = h("div", { class: "fml-tip", hidden: true }, h("img", { alt: "", class: "fml-crop" }), h("span"));
    this.status = h("div", { class: "fml-readout", role: "status", "aria-live": "polite" });
    this.stage = h("div", { class: "fml-square" }, this.canvas, this.tip);
    root.append(errorBanner(model, scope, root).element, this.caption, this.stage, this.status, noteOf(model, scope));
    scope.model("change:points", () => {
      this.load();
      this.paint();
    });
    scope.model("change:selected_id change:frame change:active change:title", () => {
      this.paint();
      this.describe(this.model.get("active"));
    });
    scope.model("msg:custom", (message, buffers) => {
      if (message.kind === "crop") this.showCrop(message.index, buffers[0]);
    });
    scope.resize(this.stage, () => this.paint());
    scope.theme(() => this.paint());
    scope.dom(this.canvas, "pointermove", (event) => this.move(event));
    scope.dom(this.canvas, "pointerleave", () => this.leave());
    scope.dom(this.canvas, "click", (event) => {
      root.focus({ preventScroll: true });
      const i = this.nearest(event);
      if (i >= 0) this.pick(i);
      else setTraits(model, { selected_id: null, active: -1 });
    });
    keepKeys(scope, root);
    scope.dom(root, "keydown", (event) => this.key(event));
    scope.also(() => {
      clearTimeout(this.waiting);
      URL.revokeObjectURL(this.url);
    });
    this.load();
    this.paint();
    this.describe(model.get("active"));
  }

  load() {
    this.points = floats(this.model.get("points"));
    const p = this.points;
    this.range = [Infinity, -Infinity, Infinity, -Infinity];
    for (let i = 0; i < p.length; i += COLUMNS)
      this.range = [
        Math.min(this.range[0], p[i]),
        Math.max(this.range[1], p[i]),
        Math.min(this.range[2], p[i + 1]),
        Math.max(this.range[3], p[i + 1]),
      ];
  }

  /**
   * @param {number} i
   * @returns {[number, number]}
   */
  place(i) {
    const [x0, x1, y0, y1] = this.range,
      pad = 14,
      W = this.canvas.width / this.ratio,
      H = this.canvas.height / this.ratio;
    return [
      pad + ((this.points[i] - x0) / (x1 - x0 || 1)) * (W - 2 * pad),
      H - pad - ((this.points[i + 1] - y0) / (y1 - y0 || 1)) * (H - 2 * pad),
    ];
  }

  /**
   * @param {CanvasRenderingContext2D} g
   * @param {number} shape
   * @param {number} x
   * @param {number} y
   * @param {number} r
   */
  mark(g, shape, x, y, r) {
    g.beginPath();
    if (shape === 0) g.arc(x, y, r, 0, 7);
    else if (shape === 1) g.rect(x - r, y - r, 2 * r, 2 * r);
    else if (shape === 2) {
      g.moveTo(x, y - r * 1.2);
      g.lineTo(x + r * 1.1, y + r);
      g.lineTo(x - r * 1.1, y + r);
      g.closePath();
    } else {
      g.moveTo(x, y - r * 1.3);
      g.lineTo(x + r * 1.3, y);
      g.lineTo(x, y + r * 1.3);
      g.lineTo(x - r * 1.3, y);
      g.closePath();
    }
  }

  paint() {
    const { model, canvas, points: p } = this,
      box = this.stage.getBoundingClientRect(),
      colours = themeOf(this.root),
      palette = model.get("palette");
    this.ratio = fitCanvas(canvas, box.width, box.height);
    const g = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d")),
      selected = model.get("selected_id"),
      frame = model.get("frame"),
      active = model.get("active");
    g.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    g.clearRect(0, 0, box.width, box.height);
    caption(this.caption, model.get("title"));
    const count = p.length / COLUMNS,
      small = count > 2000 ? 2 : 3.2;
    canvas.dataset.points = count;
    const draw = (
      /** @type {number} */ i,
      /** @type {number} */ r,
      /** @type {number} */ alpha,
      /** @type {number} */ rim,
    ) => {
      const id = p[i + 2],
        [x, y] = this.place(i);
      g.globalAlpha = alpha;
      g.fillStyle = id < 0 ? colours.dim : colourOf(palette, id);
      this.mark(g, id < 0 ? 0 : Math.floor(id / palette.length) % SHAPES, x, y, r);
      g.fill();
      if (rim) {
        g.globalAlpha = 1;
        g.strokeStyle = colours.text;
        g.lineWidth = rim;
        g.stroke();
      }
    };
    for (let i = 0; i < p.length; i += COLUMNS)
      if (p[i + 2] !== selected) draw(i, small, selected === null ? 0.8 : 0.22, 0);
    if (selected !== null)
      for (let i = 0; i < p.length; i += COLUMNS) if (p[i + 2] === selected) draw(i, small + 1.5, 1, 0.75);
    for (let i = 0; i < p.length; i += COLUMNS) if (p[i + 3] === frame) draw(i, small + 2, 1, 1.5); // those of the frame on show
    if (active >= 0 && active < count) {
      const [x, y] = this.place(active * COLUMNS);
      g.globalAlpha = 1;
      g.strokeStyle = colours.text;
      g.lineWidth = 2;
      g.beginPath();
      g.arc(x, y, 10, 0, 7);
      g.stroke();
    }
    g.globalAlpha = 1;
    canvas.setAttribute(
      "aria-label",
      `${counted(count, "embedding")}${selected === null ? "" : `, id ${selected} selected`}. Arrow keys walk along the frames, up and down through identities.`,
    );
  }

  /** @param {MouseEvent} event */
  nearest(event) {
    const box = this.canvas.getBoundingClientRect(),
      x = event.clientX - box.left,
      y = event.clientY - box.top;
    let best = -1,
      least = 144;
    for (let i = 0; i < this.points.length; i += COLUMNS) {
      const [px, py] = this.place(i),
        d = (px - x) ** 2 + (py - y) ** 2;
      if (d < least) {
        least = d;
        best = i / COLUMNS;
      }
    }
    return best;
  }

  /** @param {PointerEvent} event */
  move(event) {
    const i = this.nearest(event);
    if (i === this.hover) return;
    this.hover = i;
    clearTimeout(this.waiting);
    this.tip.hidden = true;
    if (i < 0) return this.describe(this.model.get("active"));
    this.describe(i);
    this.waiting = setTimeout(() => this.model.send({ kind: "crop", index: i }), 60); // rest, then ask: a sweep asks for nothing
  }

  leave() {
    clearTimeout(this.waiting);
    this.hover = -1;
    this.tip.hidden = true;
    this.describe(this.model.get("active"));
  }

  /**
   * @param {number} index
   * @param {any} buffer
   */
  showCrop(index, buffer) {
    if (index !== this.hover && index !== this.model.get("active")) return;
    URL.revokeObjectURL(this.url);
    this.url = URL.createObjectURL(new Blob([octets(buffer)], { type: "image/jpeg" }));
    const [x, y] = this.place(index * COLUMNS),
      p = this.points;
    this.tip.firstChild.src = this.url;
    this.tip.lastChild.textContent = this.words(index);
    this.tip.style.left = `${clamp(x + 14, 0, Math.max(0, this.stage.clientWidth - 120))}px`;
    this.tip.style.top = `${clamp(y - 60, 0, Math.max(0, this.stage.clientHeight - 150))}px`;
    this.tip.hidden = !p.length;
  }

  /** @param {number} i */
  words(i) {
    const id = this.points[i * COLUMNS + 2],
      frame = this.points[i * COLUMNS + 3];
    return `${id < 0 ? "no id" : `id ${id}`}, frame ${frame}`;
  }

  /** @param {number} i */
  describe(i) {
    this.status.textContent = i >= 0 && i * COLUMNS < this.points.length ? this.words(i) : this.model.get("hint");
  }

  /** @param {number} i */
  pick(i) {
    const id = this.points[i * COLUMNS + 2];
    setTraits(this.model, { active: i, selected_id: id < 0 ? null : id, frame: this.points[i * COLUMNS + 3] });
    this.model.send({ kind: "crop", index: i });
  }

  /**
   * Left and right go through the frames of one identity, up and down through the identities.
   * @param {KeyboardEvent} event
   */
  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !this.points.length) return;
    const p = this.points,
      count = p.length / COLUMNS,
      active = this.model.get("active"),
      id = active >= 0 ? p[active * COLUMNS + 2] : p[2];
    if (event.key === "ArrowRight" || event.key === "ArrowLeft") {
      const mine = [...Array(count).keys()]
        .filter((i) => p[i * COLUMNS + 2] === id)
        .sort((a, b) => p[a * COLUMNS + 3] - p[b * COLUMNS + 3]);
      this.pick(mine[clamp(mine.indexOf(active) + (event.key === "ArrowRight" ? 1 : -1), 0, mine.length - 1)]);
    } else if (event.key === "ArrowUp" || event.key === "ArrowDown") {
      const ids = [...new Set(Array.from({ length: count }, (_, i) => p[i * COLUMNS + 2]))].sort((a, b) => a - b);
      const next = ids[clamp(ids.indexOf(id) + (event.key === "ArrowDown" ? 1 : -1), 0, ids.length - 1)];
      this.pick([...Array(count).keys()].findIndex((i) => p[i * COLUMNS + 2] === next));
    } else if (event.key === "Escape") {
      setTraits(this.model, { selected_id: null, active: -1 });
      this.tip.hidden = true;
    } else return;
    event.preventDefault();
  }
}

export default widgetOf(ScatterView);
