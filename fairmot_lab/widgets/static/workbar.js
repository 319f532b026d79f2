// The head of the workbench: the sequence, its trackers with their metrics, and their difference in words.
import { errorBanner, frameOf } from "./chrome.js";
import { trackerColour } from "./colours.js";
import { h } from "./dom.js";
import { setTraits, widgetOf } from "./scope.js";
/** @typedef {import("./types").Model} Model */
/** @typedef {import("./types").Scope} Scope */

class WorkbarView {
  /**
   * @param {Model} model
   * @param {HTMLElement} el
   * @param {Scope} scope
   */
  constructor(model, el, scope) {
    this.model = model;
    const root = frameOf(el, scope, "workbar", "Trackers");
    this.line = h("div", { class: "fml-workline" });
    root.append(errorBanner(model, scope, root).element, this.line);
    scope.model(
      "change:title change:chips change:tracker change:compared change:compare_mode change:difference change:intervals",
      () => this.draw(),
    );
    this.draw();
  }

  draw() {
    const { model } = this;
    /** @type {{name: string, metrics: string}[]} */
    const chips = model.get("chips");
    const compared = model.get("compare_mode") !== "off" ? model.get("compared") : -1;
    const chip = (/** @type {{name: string, metrics: string}} */ one, /** @type {number} */ k) => {
      const role = k === model.get("tracker") ? "A" : k === compared ? "B" : "";
      return h(
        "button",
        {
          type: "button",
          class: "fml-chip-tracker",
          "aria-pressed": String(Boolean(role)),
          title: "Click: show this tracker. Shift click: compare with it.",
          onclick: (/** @type {MouseEvent} */ event) => this.pick(k, event.shiftKey),
        },
        h("i", { style: `background: ${trackerColour(k)}` }),
        h("b", {}, one.name),
        role && chips.length > 1 ? h("small", {}, role) : null,
        h("em", {}, one.metrics),
      );
    };
    this.line.replaceChildren(
      h("h1", {}, model.get("title")),
      ...chips.map(chip),
      h("span", { class: "fml-dim", title: model.get("intervals") || null }, model.get("difference")),
    );
  }

  /**
   * @param {number} k
   * @param {boolean} other
   */
  pick(k, other) {
    const { model } = this;
    const tracker = model.get("tracker");
    if (!other) setTraits(model, { tracker: k, ...(model.get("compared") === k ? { compared: tracker } : {}) });
    else if (k === tracker || (k === model.get("compared") && model.get("compare_mode") !== "off"))
      setTraits(model, { compare_mode: "off" });
    else
      setTraits(model, {
        compared: k,
        compare_mode: model.get("compare_mode") === "off" ? "overlay" : model.get("compare_mode"),
      });
  }
}

export default widgetOf(WorkbarView);
