// Two histograms over one axis, and a threshold that can be moved.
import { caption, errorBanner, frameOf, keepKeys, noteOf } from "./chrome.js";
import { fitCanvas, hatch, themeOf } from "./canvas.js";
import { COLOURS } from "./colours.js";
import { h } from "./dom.js";
import { clamp, counted, floats } from "./numbers.js";
import { savingSoon, widgetOf } from "./scope.js";
/** @typedef {import("./types").Model} Model */
/** @typedef {import("./types").Scope} Scope */

class HistogramView {
  /**
   * @param {Model} model
   * @param {HTMLElement} el
   * @param {Scope} scope
   */
  constructor(model, el, scope) {
    this.model = model;
    const saveSoon = savingSoon(model, scope);
    const root = (this.root = frameOf(el, scope, "histogram", model.get("title") || "Histogram"));
    this.caption = h("div", { class: "fml-caption" });
    this.canvas = h("canvas", { class: "fml-chart", role: "img" });
    this.slider = h("input", { type: "range", step: "any", "aria-label": "Threshold" });
    this.words = h("div", { class: "fml-words", role: "status", "aria-live": "polite" });
    root.append(
      errorBanner(model, scope, root).element,
      this.caption,
      this.canvas,
      h("label", { class: "fml-bar" }, "threshold", this.slider),
      this.words,
      noteOf(model, scope),
    );
    scope.model("change:edges change:same change:different change:threshold change:title change:text", () =>
      this.paint(),
    );
    scope.resize(root, () => this.paint());
    scope.theme(() => this.paint());
    scope.dom(this.slider, "input", () => {
      model.set("threshold", +this.slider.value);
      saveSoon();
    });
    keepKeys(scope, root);
    this.paint();
  }

  paint() {
    const { model, canvas } = this,
      edges = floats(model.get("edges")),
      n = edges.length - 1,
      threshold = model.get("threshold");
    caption(this.caption, model.get("title"));
    this.words.textContent = model.get("text");
    const width = this.root.clientWidth,
      height = 180,
      ratio = fitCanvas(canvas, width, height),
      g = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d")),
      colours = themeOf(this.root);
    g.setTransform(ratio, 0, 0, ratio, 0, 0);
    g.clearRect(0, 0, width, height);
    if (n < 1) return;
    this.slider.min = edges[0];
    this.slider.max = edges[n];
    if (document.activeElement !== this.slider) this.slider.value = threshold;
    const left = 8,
      right = width - 8,
      bottom = height - 20,
      top = 22;
    const at = (/** @type {number} */ v) => left + ((v - edges[0]) / (edges[n] - edges[0])) * (right - left);
    /** @type {[string, Float32Array, string, boolean][]} */
    const parts = [
      ["same person", floats(model.get("same")), COLOURS.sky, false],
      ["different people", floats(model.get("different")), COLOURS.vermilion, true],
    ];
    parts.forEach(([label, counts, colour, hatched], k) => {
      // each to its own height, since different pairs are many more
      const total = counts.reduce((a, b) => a + b, 0),
        most = Math.max(1, ...counts),
        shape = new Path2D();
      shape.moveTo(at(edges[0]), bottom);
      for (let i = 0; i < n; i++) {
        const y = bottom - (counts[i] / most) * (bottom - top);
        shape.lineTo(at(edges[i]), y);
        shape.lineTo(at(edges[i + 1]), y);
      }
      shape.lineTo(at(edges[n]), bottom);
      g.save();
      g.globalAlpha = 0.3;
      g.fillStyle = colour;
      g.fill(shape);
      if (hatched) {
        g.clip(shape);
        g.globalAlpha = 0.6;
        g.strokeStyle = colour;
        g.lineWidth = 1;
        hatch(g, left, bottom - height, right - left, height, 7);
      }
      g.restore();
      g.strokeStyle = colour;
      g.lineWidth = 2;
      g.stroke(shape);
      g.font = "12px system-ui, sans-serif";
      g.textAlign = "left";
      g.textBaseline = "alphabetic";
      g.fillStyle = colour;
      g.fillRect(left + k * 190, 4, 12, 12);
      g.fillStyle = colours.text;
      g.fillText(`${label} (${counted(total, "pair")})`, left + 16 + k * 190, 14);
    });
    g.strokeStyle = colours.text;
    g.lineWidth = 1;
    g.beginPath();
    g.moveTo(left, bottom);
    g.lineTo(right, bottom);
    g.stroke();
    g.fillStyle = colours.text;
    g.textAlign = "center";
    for (let k = 0; k <= 4; k++) {
      const v = edges[0] + ((edges[n] - edges[0]) * k) / 4;
      g.fillText(v.toFixed(2), clamp(at(v), 14, width - 14), height - 5);
    }
    g.lineWidth = 2;
    g.setLineDash([5, 3]);
    g.beginPath();
    g.moveTo(at(threshold), top - 4);
    g.lineTo(at(threshold), bottom);
    g.stroke();
    g.setLineDash([]);
    canvas.setAttribute("aria-label", `${model.get("title")}. ${model.get("text")}`);
  }
}

export default widgetOf(HistogramView);
