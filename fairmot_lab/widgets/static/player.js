// The player: a canvas, one time axis and controls. Frames come from the kernel, boxes are drawn here.
import { COLUMNS, ID, LAYER, LAYERS, PERSON, TRACKER, X } from "./boxes.js";
import { errorBanner, frameOf, noteOf } from "./chrome.js";
import { Controls } from "./controls.js";
import { h } from "./dom.js";
import { counted } from "./numbers.js";
import { Painter } from "./painter.js";
import { setTraits, widgetOf } from "./scope.js";
import { Stage } from "./stage.js";
import { Timeline } from "./timeline.js";
import { joinTransport, leaveTransport } from "./transport.js";
/** @typedef {import("./types").Model} Model */
/** @typedef {import("./types").Scope} Scope */

const KEYS = [
  ["← →", "one frame"],
  ["shift ← →", "ten frames"],
  ["space", "play or pause"],
  ["home end", "first, last frame"],
  ["n p", "next, previous ID switch (of the person who is followed)"],
  ["t, shift t", "select the next, previous box"],
  ["esc", "select nothing"],
  ["o", "show all, fade the others, show only the selected"],
  ["c", "compare: off, overlay, side by side"],
  ["[ ] \\", "begin, end, drop the range"],
  ["+ − 0", "zoom in, out, whole frame"],
  ["ctrl ← ↑ → ↓", "move the zoomed part"],
  ["1 … 5", "show or hide a layer"],
  ["i u", "zoom the timeline in, out"],
  ["f", "full screen"],
  ["ctrl wheel, drag", "zoom, pan"],
  ["shift drag on the timeline", "range"],
];
const LOW = 380; // CSS pixels of a view of one output, below which layers and words are left out
const LOWEST = 270; // the timeline, too
const LEAST_TALL = 80; // CSS pixels of the picture in a low view of one output
const FOCUS = ["all", "fade", "only"];
const COMPARE = ["off", "overlay", "split"];

class PlayerView {
  /**
   * @param {Model} model
   * @param {HTMLElement} el
   * @param {Scope} scope
   */
  constructor(model, el, scope) {
    this.model = model;
    this.scope = scope;
    const name = model.get("name");
    this.root = frameOf(el, scope, "player", `Player of ${name || "a sequence"}`);
    this.root.tabIndex = 0;
    this.root.setAttribute("aria-keyshortcuts", "ArrowLeft ArrowRight Space Home End N P T Escape");
    this.canvas = h("canvas", { class: "fml-screen", role: "img", "aria-label": `Frame of ${name}` });
    this.stage = new Stage(this.canvas);
    this.transport = joinTransport(model, this);
    scope.also(() => leaveTransport(model, this));
    this.painter = new Painter(model, this.transport);
    this.timeline = new Timeline(model, this.transport, this.scope, this.root);
    this.controls = new Controls(model, this.scope, this.painter, this.stage, {
      jump: (direction) => this.jump(direction),
      zoomBy: (factor) => this.zoomBy(factor),
      zoomOut: () => this.zoomTo(1, 0, 0),
      fullscreen: () => this.fullscreen(),
      help: () => this.toggleHelp(),
      say: (text) => this.announce(text, true),
    });
    this.banner = errorBanner(model, this.scope, this.root);
    this.empty = h("div", { class: "fml-empty", hidden: true });
    this.screen = h("div", { class: "fml-stage" }, this.canvas, this.empty);
    this.readout = h("div", { class: "fml-readout", "aria-hidden": "true" });
    this.status = h("div", { class: "fml-hidden", role: "status", "aria-live": "polite" });
    const keys = KEYS.map(([key, does]) => h("div", {}, h("kbd", {}, key), ` ${does}`));
    this.help = h("div", { class: "fml-help", hidden: true }, ...keys);
    /** @type {{x: number, y: number, zoom: {scale: number, x: number, y: number}, moved: boolean} | null} */
    this.drag = null;
    /** @type {{clientX: number, clientY: number} | null} */
    this.pointer = null;
    /** @type {DOMRect | null} */
    this.size = null;
    /** @type {Element | null} */
    this.place = null; // JupyterLab's view of one output, if the player is in one
    this.described = 0;
    this.cycled = -1;
    this.build();
    this.wire();
    this.layout();
    this.transport.store.request();
  }

  build() {
    const { transport } = this;
    this.root.append(
      this.banner.element,
      this.screen,
      this.controls.first,
      this.timeline.element,
      this.controls.second,
      this.help,
      this.readout,
      noteOf(this.model, this.scope),
      this.status,
    );
    this.root.player = transport; // for tests and benchmarks: what was fetched and painted
  }

  wire() {
    const { scope } = this;
    scope.model(
      "change:selected_id change:selected_gt_id change:min_score change:layers change:trail change:speed change:switches change:smooth change:focus " +
        "change:overlay_opacity change:overlay_colours change:overlay_floor change:overlay_gamma change:active_peak change:range change:hidden_classes change:colour_by",
      () => this.paint(),
    );
    scope.model(
      "change:width change:height change:length change:available change:name change:trackers change:tracker change:compared change:compare_mode change:overlay_mode change:overlay_colours change:exports change:classes",
      () => this.layout(),
    );
    scope.model("msg:custom", (message) => {
      if (message.kind === "said") this.announce(message.text, true);
    });
    scope.resize(this.root, () => this.resized());
    scope.resize(this.screen, () => this.resized());
    scope.theme(() => {
      this.timeline.paint();
      this.paint();
    });
    scope.dom(this.root, "keydown", (event) => this.key(event));
    scope.dom(this.canvas, "pointermove", (event) => this.move(event));
    scope.dom(this.canvas, "pointerleave", () => {
      this.pointer = null;
      this.painter.hover = null;
      this.paint();
      this.describe();
    });
    scope.dom(this.canvas, "pointerdown", (event) => this.press(event));
    scope.dom(this.canvas, "pointerup", (event) => this.release(event));
    scope.dom(this.canvas, "pointercancel", () => (this.drag = null));
    scope.dom(
      this.canvas,
      "wheel",
      (event) => {
        if (!event.ctrlKey && !event.metaKey) return; // the plain wheel scrolls the notebook
        event.preventDefault();
        const { x, y } = this.stage.toImage(event);
        this.zoomBy(event.deltaY < 0 ? 1.25 : 0.8, x, y);
      },
      { passive: false },
    );
    scope.dom(document, "fullscreenchange", () => this.layout());
  }

  /** JupyterLab's view of one output has a height of its own: the picture takes what the rest leaves. */
  fitOutputView() {
    const { root, screen } = this;
    const place = root.closest(".jp-LinkedOutputView");
    if (!place) return;
    if (place !== this.place) {
      this.place = place;
      this.scope.resize(place, () => this.resized());
    }
    const above = root.getBoundingClientRect().top - place.getBoundingClientRect().top + place.scrollTop;
    root.classList.toggle("fml-low-view", place.clientHeight - above < LOW);
    root.classList.toggle("fml-lowest-view", place.clientHeight - above < LOWEST);
    const tall = place.clientHeight - above - (root.offsetHeight - screen.offsetHeight) - 12;
    const wanted = `${Math.max(LEAST_TALL, Math.round(tall))}px`;
    if (root.style.getPropertyValue("--fml-tall") !== wanted) root.style.setProperty("--fml-tall", wanted);
  }

  resized() {
    this.fitOutputView();
    this.size = null;
    this.timeline.paint();
    this.paint();
  }

  layout() {
    const { model, transport } = this;
    const length = model.get("length");
    this.controls.layout();
    this.timeline.element.hidden = length < 2;
    this.timeline.plot.setAttribute("aria-valuemax", Math.max(1, length));
    this.empty.hidden = length > 0;
    this.empty.textContent = `${model.get("name") || "The source"} holds no frames.`;
    const parts = this.painter.parts().length;
    const aspect = (Math.max(1, model.get("width")) * parts) / Math.max(1, model.get("height"));
    const full = document.fullscreenElement === this.root;
    this.screen.style.aspectRatio = full ? "auto" : String(aspect);
    this.screen.style.setProperty("--fml-aspect", String(aspect));
    this.size = null;
    this.timeline.paint();
    this.paint();
    transport.store.request();
  }

  toggleHelp() {
    this.help.hidden = !this.help.hidden;
  }

  measure() {
    const { model } = this;
    if (!this.size) {
      // asked for once per change: asking makes the browser lay out the page
      const box = this.screen.getBoundingClientRect();
      this.size = box.width ? box : null;
      if (!this.size) return false;
    }
    const image = { width: Math.max(1, model.get("width")), height: Math.max(1, model.get("height")) };
    this.stage.divide(this.size.width, this.size.height, image, this.painter.parts());
    return true;
  }

  // ---- zoom

  /**
   * @param {number} scale
   * @param {number} x
   * @param {number} y
   */
  zoomTo(scale, x, y) {
    this.stage.zoomTo(scale, x, y);
    this.canvas.style.cursor = this.stage.zoom.scale > 1 ? "grab" : "";
    this.paint();
  }

  /**
   * @param {number} factor
   * @param {number} [x]
   * @param {number} [y]
   */
  zoomBy(factor, x, y) {
    this.stage.zoomBy(factor, x, y);
    this.zoomTo(this.stage.zoom.scale, this.stage.zoom.x, this.stage.zoom.y);
  }

  fullscreen() {
    if (document.fullscreenElement) document.exitFullscreen();
    else
      this.root
        .requestFullscreen?.()
        .catch((/** @type {Error} */ error) => this.banner.say(`Full screen is not allowed here (${error.message}).`));
  }

  // ---- input

  /** @param {KeyboardEvent} event */
  key(event) {
    const { transport, model } = this;
    const { key } = event;
    const target = /** @type {HTMLElement} */ (event.target);
    if (target === this.controls.field) {
      event.stopPropagation();
      if (key === "Enter" || key === "Escape") {
        if (key === "Enter") this.controls.goToField();
        this.root.focus({ preventScroll: true });
      }
      return;
    }
    if (target.matches("select, input")) {
      event.stopPropagation(); // they use the keys themselves
      return;
    }
    const pan = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[key];
    if ((event.ctrlKey || event.metaKey) && pan) {
      const { scale, x, y } = this.stage.zoom;
      this.zoomTo(scale, x + (pan[0] * model.get("width")) / scale / 8, y + (pan[1] * model.get("height")) / scale / 8);
    } else if (event.ctrlKey || event.metaKey || event.altKey) return;
    else if ((key === " " || key === "Enter") && target.matches("button")) {
      event.stopPropagation();
      return;
    } else if (!this.act(key, event.shiftKey)) {
      if (key !== "Tab") event.stopPropagation(); // no key of ours reaches the notebook, except to leave
      return;
    }
    event.preventDefault();
    event.stopPropagation();
    transport.store.request();
  }

  /**
   * Do what a key stands for; false where it stands for nothing.
   * @param {string} key
   * @param {boolean} shift
   */
  act(key, shift) {
    const { transport, model, timeline } = this;
    const next = (/** @type {string[]} */ all, /** @type {string} */ value) =>
      all[(all.indexOf(value) + 1) % all.length];
    /** @type {Record<string, () => void>} */
    const actions = {
      ArrowRight: () => transport.step(shift ? 10 : 1),
      ArrowLeft: () => transport.step(shift ? -10 : -1),
      Home: () => transport.step(-transport.last),
      End: () => transport.step(transport.last),
      " ": () => transport.play(!transport.playing),
      n: () => this.jump(1),
      p: () => this.jump(-1),
      t: () => this.cycle(1),
      T: () => this.cycle(-1),
      Escape: () => this.select(null),
      o: () => setTraits(model, { focus: next(FOCUS, model.get("focus")) }),
      c: () =>
        model.get("trackers").length > 1 &&
        this.controls.compare({ compare_mode: next(COMPARE, model.get("compare_mode")) }),
      "[": () =>
        timeline.setRange(
          transport.frame,
          transport.range ? Math.max(transport.frame, transport.range[1]) : transport.last,
        ),
      "]": () =>
        timeline.setRange(transport.range ? Math.min(transport.frame, transport.range[0]) : 1, transport.frame),
      "\\": () => timeline.clearRange(),
      "+": () => this.zoomBy(1.5),
      "=": () => this.zoomBy(1.5),
      "-": () => this.zoomBy(1 / 1.5),
      0: () => this.zoomTo(1, 0, 0),
      i: () => timeline.zoomBy(1.6),
      u: () => timeline.zoomBy(1 / 1.6),
      f: () => this.fullscreen(),
      "?": () => this.toggleHelp(),
    };
    LAYERS.forEach((layer, k) => {
      if (model.get("available").includes(layer.key)) actions[k + 1] = () => this.controls.toggle(layer.key);
    });
    if (!actions[key]) return false;
    actions[key]();
    return true;
  }

  /** The ID switches that n and p go to: those of the person who is followed, else all of the trackers on show. */
  breaks() {
    const { model } = this;
    const person = model.get("selected_gt_id");
    const all = this.timeline.switches();
    const theirs = all.filter((s) => s.gt_id === person);
    return model.get("focus") !== "all" && person !== null && theirs.length ? theirs : all;
  }

  /** @param {number} direction */
  jump(direction) {
    const breaks = this.breaks();
    const target = this.transport.jump(
      breaks.map((s) => s.frame),
      direction,
    );
    if (target === undefined)
      return this.announce(direction > 0 ? "No later ID switch." : "No earlier ID switch.", true);
    const person = this.model.get("selected_gt_id");
    const there = breaks.filter((s) => s.frame === target);
    const mark = there.find((s) => s.gt_id === person) || there[0];
    if (mark.to_id === undefined || mark.to_id === null) return;
    setTraits(this.model, {
      selected_id: mark.to_id,
      ...(mark.gt_id !== undefined && mark.gt_id !== null ? { selected_gt_id: mark.gt_id } : {}),
    });
  }

  /** @param {number | null} row */
  select(row) {
    if (row === null) return setTraits(this.model, { selected_id: null, selected_gt_id: null });
    const b = this.transport.boxes.values;
    const layer = LAYERS[b[row + LAYER]];
    /** @type {Record<string, number | null>} */
    const chosen = { [layer.id]: b[row + ID] };
    const person = b[row + PERSON];
    const evaluated = this.model.get("lanes")?.byteLength;
    if (layer.id === "selected_id" && (person >= 0 || evaluated)) chosen.selected_gt_id = person >= 0 ? person : null;
    if (layer.id === "selected_gt_id") {
      const track = this.trackOf(person);
      if (track !== null) chosen.selected_id = track;
    }
    setTraits(this.model, chosen);
    this.announce(`${layer.id === "selected_id" ? "Track" : "Person"} ${b[row + ID]} selected.`);
  }

  /**
   * The track that has a person in the frame on show.
   * @param {number} person
   */
  trackOf(person) {
    const b = this.transport.boxes.values;
    const [from, to] = this.transport.boxes.range(this.transport.shown);
    for (let i = from; i < to; i += COLUMNS)
      if (b[i + LAYER] === 0 && b[i + PERSON] === person && b[i + TRACKER] === this.model.get("tracker"))
        return b[i + ID];
    return null;
  }

  /** @param {number} direction */
  cycle(direction) {
    const b = this.transport.boxes.values;
    const { model } = this;
    const rows = this.painter.visible(this.transport.shown).sort((i, j) => b[i + X] - b[j + X]);
    if (!rows.length) return;
    const selected = rows.findIndex(
      (i) => b[i + ID] === model.get(LAYERS[b[i + LAYER]].id) && (this.cycled < 0 || b[i + LAYER] === this.cycled),
    );
    const row = rows[(selected + direction + rows.length + (selected < 0 && direction < 0 ? 1 : 0)) % rows.length];
    this.cycled = b[row + LAYER];
    this.select(row);
  }

  /** @param {PointerEvent} event */
  press(event) {
    this.root.focus({ preventScroll: true });
    if (event.button !== 0) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.drag = { x: event.clientX, y: event.clientY, zoom: { ...this.stage.zoom }, moved: false };
  }

  /** @param {PointerEvent} event */
  move(event) {
    const { stage, drag } = this;
    if (drag && event.buttons & 1) {
      const dx = event.clientX - drag.x;
      const dy = event.clientY - drag.y;
      if (Math.hypot(dx, dy) > 4) drag.moved = true;
      const k = stage.ratio / stage.scale;
      if (drag.moved && stage.zoom.scale > 1) this.zoomTo(stage.zoom.scale, drag.zoom.x - dx * k, drag.zoom.y - dy * k);
      return;
    }
    this.pointer = { clientX: event.clientX, clientY: event.clientY };
    if (this.point()) this.paint();
    this.describe();
  }

  /** Find the box under the pointer; true if it is another one. */
  point() {
    if (!this.pointer || !this.size) return false;
    const { viewport, x, y } = this.stage.toImage(this.pointer);
    const hit = this.painter.hit(x, y, viewport.tracker);
    if (this.stage.zoom.scale <= 1) this.canvas.style.cursor = hit === null ? "" : "pointer";
    const other = hit !== this.painter.hover;
    this.painter.hover = hit;
    return other;
  }

  /** @param {PointerEvent} event */
  release(event) {
    const { drag } = this;
    this.drag = null;
    if (!drag || drag.moved) return;
    const { viewport, x, y } = this.stage.toImage(event);
    this.select(this.painter.hit(x, y, viewport.tracker));
    this.model.send({ kind: "click", frame: this.transport.shown, x, y });
  }

  /** Say what is under the pointer, else what is selected, in the frame on show. */
  describe() {
    const { painter, transport } = this;
    if (this.pointer) {
      const { x, y } = this.stage.toImage(this.pointer);
      this.readout.textContent = painter.words(x, y, painter.hover);
      return;
    }
    const rows = painter.visible(transport.shown).filter((row) => painter.selected(row));
    const tracked = rows.filter((row) => transport.boxes.values[row + LAYER] === 0).length > 0;
    const told = rows.filter((row) => !tracked || !LAYERS[transport.boxes.values[row + LAYER]].double); // each box once
    this.readout.textContent = told
      .slice(0, 3)
      .map((row) => painter.boxWords(row))
      .join("  ·  ");
  }

  /**
   * Tell those who cannot see the picture; everybody where `shown`.
   * @param {string} text
   * @param {boolean} [shown]
   */
  announce(text, shown = false) {
    this.status.textContent = text;
    if (shown) this.readout.textContent = text;
  }

  // ---- painting

  paint() {
    if (!this.painter || !this.measure()) return;
    const { transport, canvas, painter } = this;
    const picture = transport.store.pictures.get(transport.shown);
    const moved = this.described !== transport.shown;
    if (moved) this.point(); // the readout follows the frame
    painter.paint(this.stage, picture, transport.shown);
    if (picture && !picture.poster) canvas.dataset.frame = String(transport.shown);
    canvas.dataset.boxes = String(painter.visible(transport.shown).length);
    this.timeline.place();
    this.controls.paint();
    this.warn();
    if (!transport.playing && transport.shown === transport.frame) this.tellReaders(transport.last);
    if (moved || !this.pointer) this.describe();
    this.described = transport.shown;
  }

  /** Say why a frame is not there. */
  warn() {
    const { store, frame } = this.transport;
    const silent = store.silent && store.asked.size && !store.ready(frame);
    const text = silent ? "The kernel does not answer; this is the last picture it sent." : "";
    this.banner.say(store.failed.get(frame) || text);
  }

  /** @param {number} length */
  tellReaders(length) {
    const { transport } = this;
    const plot = this.timeline.plot;
    plot.setAttribute("aria-valuenow", transport.frame);
    plot.setAttribute("aria-valuetext", `frame ${transport.frame} of ${length}`);
    const boxes = this.painter.visible(transport.shown);
    const switches = this.timeline
      .switches()
      .filter((s) => s.frame === transport.shown)
      .map((s) => `; ID switch ${s.from_id ?? ""} to ${s.to_id ?? ""}${s.kind ? `, ${s.kind}` : ""}`);
    const held = transport.held.length ? `; ${counted(transport.held.length, "frame")} in this page` : "";
    const text = `Frame ${transport.frame} of ${length}, ${counted(boxes.length, "box", "boxes")}${switches.join("")}${held}`;
    if (this.canvas.getAttribute("aria-label") !== text) this.canvas.setAttribute("aria-label", text);
  }
}

export default widgetOf(PlayerView);
