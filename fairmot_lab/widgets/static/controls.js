// The bars of the player: transport, layers, trackers, whom to show, export.
import { LAYERS } from "./boxes.js";
import { classColour, trackerColour } from "./colours.js";
import { button, choice, h, icon } from "./dom.js";
import { asPng, asSvg, download, fileName } from "./exporting.js";
import { clamp } from "./numbers.js";
import { flip, savingSoon, setTraits } from "./scope.js";
/** @typedef {import("./types").Model} Model */
/** @typedef {import("./types").Scope} Scope */
/** @typedef {import("./painter.js").Painter} Painter */
/** @typedef {import("./stage.js").Stage} Stage */

const SPEEDS = [0.25, 0.5, 1, 2, 4];
/** @type {Record<string, string>} */
const EXPORTS = {
  png: "PNG of this frame",
  svg: "SVG of this frame",
  mp4: "MP4 of the range",
  gif: "GIF of the range",
  html: "HTML page",
};
/** Traits on which the look of the bars depends. */
const SETTINGS = ["switches", "speed", "min_score", "layers", "available", "focus", "hidden_classes", "colour_by"];

/**
 * What the bars ask of the view.
 * @typedef {object} Actions
 * @property {(direction: number) => void} jump
 * @property {(factor: number) => void} zoomBy
 * @property {() => void} zoomOut
 * @property {() => void} fullscreen
 * @property {() => void} help
 * @property {(text: string) => void} say
 */

export class Controls {
  /**
   * @param {Model} model
   * @param {Scope} scope
   * @param {Painter} painter
   * @param {Stage} stage
   * @param {Actions} actions
   */
  constructor(model, scope, painter, stage, actions) {
    this.model = model;
    this.painter = painter;
    this.stage = stage;
    this.actions = actions;
    this.transport = painter.transport;
    this.settings = "";
    this.typing = false;
    const { transport } = this;
    this.field = h("input", {
      type: "number",
      class: "fml-frame",
      min: 1,
      step: 1,
      "aria-label": "Frame number",
      title: "Frame number",
    });
    this.total = h("span");
    this.seconds = h("span", { class: "fml-seconds" });
    this.counter = h("output", { class: "fml-counter" }, this.total, this.seconds);
    this.playButton = button("play", "Play (space)", () => transport.play(!transport.playing));
    this.playButton.classList.add("fml-primary");
    const speeds = SPEEDS.map((s) => h("option", { value: s }, `${s}×`));
    this.speed = h("select", { "aria-label": "Speed", title: "Speed" }, ...speeds);
    const jump = (/** @type {string} */ title, /** @type {string} */ text, /** @type {number} */ direction) =>
      h("button", { type: "button", title, onclick: () => actions.jump(direction) }, text);
    this.previous = jump("Previous ID switch (p)", "‹ switch", -1);
    this.next = jump("Next ID switch (n)", "switch ›", 1);
    this.score = h("input", {
      type: "range",
      min: 0,
      max: 1,
      step: 0.01,
      "aria-label": "Least score of the boxes shown",
    });
    this.scoreText = h("output");
    const title = "Hide boxes whose score is lower";
    this.scoreLabel = h("label", { class: "fml-pair", title }, "score ≥ ", this.scoreText, this.score);
    this.layers = h("span", { class: "fml-layers", role: "group", "aria-label": "Layers" });
    this.trackers = h("span", { class: "fml-pair" });
    this.focus = choice(
      "Whom to show",
      [
        ["all", "all"],
        ["fade", "fade others", "Fade everybody who is not selected (o)"],
        ["only", "only", "Show only who is selected (o)"],
      ],
      (value) => setTraits(model, { focus: value }),
    );
    this.classes = h("span", { class: "fml-layers", role: "group", "aria-label": "Classes" });
    this.colourBy = choice(
      "What colours mean",
      [
        ["id", "by id"],
        ["class", "by class"],
      ],
      (value) => setTraits(model, { colour_by: value }),
    );
    this.heat = choice(
      "How to show the map",
      [
        ["overlay", "overlay"],
        ["heat", "map only"],
        ["beside", "side by side"],
      ],
      (value) => setTraits(model, { overlay_mode: value }),
    );
    this.save = h("select", { class: "fml-export", "aria-label": "Export", title: "Export" });
    this.first = this.bar(
      button("back", "One frame back (left arrow)", () => transport.step(-1)),
      this.playButton,
      button("forward", "One frame on (right arrow)", () => transport.step(1)),
      this.field,
      this.counter,
      this.speed,
      this.previous,
      this.next,
      h("span", { class: "fml-space" }),
      this.save,
      h(
        "span",
        { class: "fml-group" },
        button("minus", "Zoom out (-)", () => actions.zoomBy(1 / 1.5)),
        button("plus", "Zoom in (+)", () => actions.zoomBy(1.5)),
        button("fit", "Whole frame (0)", actions.zoomOut),
        button("full", "Full screen (f)", actions.fullscreen),
        button("help", "Keys (?)", actions.help),
      ),
    );
    this.second = this.bar(
      this.trackers,
      this.layers,
      this.classes,
      this.colourBy.element,
      this.heat.element,
      this.focus.element,
      this.scoreLabel,
    );
    const saveSoon = savingSoon(model, scope);
    scope.dom(this.field, "input", () => (this.typing = true));
    scope.dom(this.field, "change", () => this.goToField());
    scope.dom(this.field, "blur", () => (this.typing = false));
    scope.dom(this.save, "change", () => this.export());
    scope.dom(this.speed, "change", () => {
      setTraits(model, { speed: +this.speed.value });
      transport.rebase();
    });
    scope.dom(this.score, "input", () => {
      model.set("min_score", +this.score.value);
      saveSoon();
    });
  }

  /** @param {...Node} parts */
  bar(...parts) {
    return h("div", { class: "fml-bar" }, ...parts);
  }

  layout() {
    const { model } = this;
    const length = model.get("length");
    const available = model.get("available");
    this.layers.replaceChildren(...available.map((/** @type {string} */ key) => this.layerToggle(key)));
    this.layers.hidden = available.length < 2;
    /** @type {string[]} */
    const names = model.get("classes");
    this.classes.replaceChildren(...names.map((name, k) => this.classToggle(name, k)));
    this.classes.hidden = this.colourBy.element.hidden = !names.length;
    this.scoreLabel.hidden = !available.includes("tracks");
    this.focus.element.hidden = !available.length;
    this.heat.element.hidden = !model.get("overlay_colours")?.byteLength;
    this.heat.mark(model.get("overlay_mode"));
    this.layoutTrackers();
    const formats = ["png", "svg", ...model.get("exports")];
    const options = formats.map((f) => h("option", { value: f }, EXPORTS[f] || f));
    this.save.replaceChildren(h("option", { value: "" }, "export"), ...options);
    this.field.max = Math.max(1, length);
    this.field.disabled = length < 2;
    this.settings = "";
  }

  /** @param {string} key */
  layerToggle(key) {
    const index = LAYERS.findIndex((layer) => layer.key === key);
    const swatch = h("span", { class: `fml-swatch fml-swatch-${key.replace("_", "-")}`, "aria-hidden": "true" });
    const title = `Show or hide (${index + 1})`;
    return h(
      "button",
      { type: "button", class: "fml-toggle", "data-layer": key, title, onclick: () => this.toggle(key) },
      swatch,
      LAYERS[index].label,
    );
  }

  /**
   * @param {string} name
   * @param {number} index
   */
  classToggle(name, index) {
    const { model } = this;
    const onclick = () => flip(model, "hidden_classes", name);
    const swatch = h("span", {
      class: "fml-swatch",
      style: `border-color: ${classColour(index)}`,
      "aria-hidden": "true",
    });
    const title = `Show or hide ${name}`;
    return h("button", { type: "button", class: "fml-toggle", "data-class": name, title, onclick }, swatch, name);
  }

  /** Which tracker is on show, and which it is compared with. */
  layoutTrackers() {
    const { model } = this;
    /** @type {string[]} */
    const names = model.get("trackers");
    this.trackers.hidden = names.length < 2;
    if (names.length < 2) return;
    const compared = model.get("compare_mode") !== "off";
    const mode = choice(
      "Compare",
      [
        ["off", "A"],
        ["overlay", "A + B", "Both in one picture (c)"],
        ["split", "A | B", "Side by side (c)"],
      ],
      (value) => this.compare({ compare_mode: value }),
    );
    mode.mark(model.get("compare_mode"));
    const chips = [this.trackerChoice("A", names, "tracker")];
    if (compared) chips.push(this.trackerChoice("B", names, "compared"));
    this.trackers.replaceChildren(...chips, mode.element);
  }

  /**
   * @param {string} letter
   * @param {string[]} names
   * @param {string} trait
   */
  trackerChoice(letter, names, trait) {
    const value = this.model.get(trait);
    const label = `Tracker ${letter}`;
    const options = names.map((name, k) => h("option", { value: k, selected: k === value }, name));
    const change = () => this.compare({ [trait]: +select.value });
    const select = h("select", { "aria-label": label, title: label, onchange: change }, ...options);
    return h("span", { class: "fml-tracker", style: `border-color: ${trackerColour(value)}` }, select);
  }

  /** @param {Record<string, any>} change */
  compare(change) {
    const { model } = this;
    const tracker = change.tracker ?? model.get("tracker");
    let compared = change.compared ?? model.get("compared");
    if (compared < 0 || compared === tracker) compared = (tracker + 1) % model.get("trackers").length;
    setTraits(model, { tracker, compared, compare_mode: change.compare_mode ?? model.get("compare_mode") });
  }

  async export() {
    const { model, transport } = this;
    const format = this.save.value;
    this.save.value = "";
    const name = fileName(model.get("name"), transport.shown, format);
    if (format === "svg") download(asSvg(model, this.painter), name);
    else if (format === "png") {
      const blob = await asPng(model, this.painter, this.stage);
      if (blob) download(blob, name);
    } else if (format) {
      const [first, last] = transport.range || [1, transport.last];
      this.actions.say(`Writing ${EXPORTS[format] || format} …`);
      model.send({ kind: "export", format, first, last });
    }
  }

  /** @param {string} key */
  toggle(key) {
    const shown = new Set(this.model.get("layers"));
    if (!shown.delete(key)) shown.add(key);
    const layers = this.model.get("available").filter((/** @type {string} */ layer) => shown.has(layer));
    setTraits(this.model, { layers });
  }

  goToField() {
    const { field, transport } = this;
    const frame = Math.round(+field.value);
    if (field.value && Number.isFinite(frame)) {
      transport.pause();
      transport.go(clamp(frame, 1, transport.last));
    }
    this.typing = false;
    field.value = transport.frame;
  }

  paint() {
    const { model, transport } = this;
    const rate = model.get("frame_rate");
    if (!this.typing) this.field.value = transport.frame;
    this.total.textContent = transport.last ? `/ ${transport.last}` : "no frames";
    this.seconds.textContent = transport.last && rate ? ` · ${((transport.frame - 1) / rate).toFixed(2)} s` : "";
    if (this.playButton.dataset.playing !== String(transport.playing)) {
      this.playButton.dataset.playing = String(transport.playing);
      const label = transport.playing ? "Pause (space)" : "Play (space)";
      this.playButton.replaceChildren(icon(transport.playing ? "pause" : "play"));
      this.playButton.setAttribute("aria-label", label);
      this.playButton.title = label;
    }
    // the rest is touched only when it changes: most paints are of another frame
    const settings = JSON.stringify(SETTINGS.map((name) => model.get(name)));
    if (settings === this.settings) return;
    this.settings = settings;
    this.previous.hidden = this.next.hidden = !model.get("switches").length;
    this.speed.value = model.get("speed");
    this.score.value = model.get("min_score");
    this.scoreText.textContent = model.get("min_score").toFixed(2);
    this.focus.mark(model.get("focus"));
    this.colourBy.mark(model.get("colour_by"));
    const hidden = new Set(model.get("hidden_classes"));
    for (const toggle of this.classes.children)
      toggle.setAttribute("aria-pressed", String(!hidden.has(toggle.dataset.class)));
    const shown = new Set(model.get("layers"));
    for (const toggle of this.layers.children)
      toggle.setAttribute("aria-pressed", String(shown.has(toggle.dataset.layer)));
  }
}
