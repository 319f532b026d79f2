// One axis for everything: the place to scrub, errors, ID switches, the selected person, and a range.
import { COLUMNS, H, ID, LAYER, PERSON, TRACKER, W, X, Y } from "./boxes.js";
import { fitCanvas, themeOf } from "./canvas.js";
import { COLOURS, colourOf, trackerColour } from "./colours.js";
import { h } from "./dom.js";
import { clamp, counted, floats } from "./numbers.js";
import { oncePerFrame, setTraits } from "./scope.js";
import { comparedOf } from "./transport.js";
/** @typedef {import("./types").Model} Model */
/** @typedef {import("./types").Scope} Scope */
/** @typedef {import("./types").Switch} Switch */
/** @typedef {import("./transport.js").Transport} Transport */

/**
 * @typedef {object} Lane
 * @property {string} label
 * @property {number} height in CSS pixels
 * @property {string} [title]
 * @property {(g: CanvasRenderingContext2D, top: number, height: number) => void} paint
 */

const NEAR = 5; // pixels within which a press finds a switch
const LEAST_SPAN = 10; // frames: the closest zoom
const TICK_GAP = 70; // pixels between numbers of the ruler, at least
const STEPS = [1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1000, 2000, 5000, 10000, 20000, 50000, 100000];

export class Timeline {
  /**
   * @param {Model} model
   * @param {Transport} transport
   * @param {Scope} scope
   * @param {HTMLElement} root
   */
  constructor(model, transport, scope, root) {
    this.model = model;
    this.transport = transport;
    this.root = root;
    this.view = [1, Math.max(1, transport.last)]; // first and last frame on show
    this.canvas = h("canvas");
    this.cursor = h("div", { class: "fml-cursor" });
    this.plot = h(
      "div",
      { class: "fml-timeline", role: "slider", tabindex: 0, "aria-label": "Frame", "aria-valuemin": 1 },
      this.canvas,
      this.cursor,
    );
    this.labels = h("div", { class: "fml-lane-names", "aria-hidden": "true" });
    this.card = h("div", { class: "fml-card", hidden: true, "aria-hidden": "true" });
    this.element = h("div", { class: "fml-time" }, this.labels, this.plot, this.card);
    scope.dom(this.plot, "pointerdown", (event) => this.press(event));
    scope.dom(this.plot, "pointermove", (event) => this.move(event));
    scope.dom(this.plot, "pointerup", () => (this.drag = null));
    scope.dom(this.plot, "pointercancel", () => (this.drag = null));
    scope.dom(this.plot, "pointerleave", () => this.leave());
    scope.dom(this.plot, "dblclick", () => this.clearRange());
    scope.dom(this.plot, "wheel", (event) => this.wheel(event), { passive: false });
    scope.model(
      "change:lanes change:switches change:selected_id change:selected_gt_id change:tracker change:compared change:compare_mode change:trackers change:range change:boxes",
      oncePerFrame(scope, () => this.paint()),
    );
    scope.model("change:length", () => this.whole());
    /** @type {{range: number | null} | null} */
    this.drag = null;
    this.asked = "";
  }

  get last() {
    return this.transport.last;
  }

  get width() {
    return this.plot.clientWidth;
  }

  /**
   * CSS pixels from the left to the middle of a frame.
   * @param {number} frame
   */
  at(frame) {
    const [first, last] = this.view;
    return ((frame - first + 0.5) / (last - first + 1)) * this.width;
  }

  /**
   * The frame at a place, with a fraction.
   * @param {{clientX: number}} event
   */
  frameAt(event) {
    const box = this.plot.getBoundingClientRect();
    const [first, last] = this.view;
    return first - 0.5 + clamp((event.clientX - box.left) / Math.max(1, box.width), 0, 1) * (last - first + 1);
  }

  // ---- zoom, pan, range

  whole() {
    this.view = [1, Math.max(1, this.last)];
    this.paint();
  }

  /**
   * @param {number} factor above 1 zooms in
   * @param {number} [about] a frame
   */
  zoomBy(factor, about = this.transport.frame) {
    const [first, last] = this.view;
    const span = clamp((last - first + 1) / factor, Math.min(LEAST_SPAN, this.last), this.last);
    const share = (about - first) / Math.max(1, last - first + 1);
    this.panTo(about - share * span, span);
  }

  /**
   * @param {number} first
   * @param {number} span
   */
  panTo(first, span) {
    first = clamp(first, 1, this.last - span + 1);
    this.view = [first, first + span - 1];
    this.paint();
  }

  /** @param {WheelEvent} event */
  wheel(event) {
    const sideways = event.shiftKey
      ? event.deltaY || event.deltaX
      : Math.abs(event.deltaX) > Math.abs(event.deltaY)
        ? event.deltaX
        : 0;
    if (!event.ctrlKey && !event.metaKey && !sideways) return; // the plain wheel scrolls the notebook
    event.preventDefault();
    const [first, last] = this.view;
    const span = last - first + 1;
    if (event.ctrlKey || event.metaKey) this.zoomBy(event.deltaY < 0 ? 1.4 : 1 / 1.4, this.frameAt(event));
    else this.panTo(first + (Math.sign(sideways) * span) / 10, span);
  }

  /**
   * @param {number} from
   * @param {number} to
   */
  setRange(from, to) {
    const ends = [from, to].map((f) => clamp(Math.round(f), 1, this.last)).sort((a, b) => a - b);
    setTraits(this.model, { range: ends });
  }

  clearRange() {
    if (this.transport.range) setTraits(this.model, { range: [] });
  }

  // ---- the hand

  /** @param {PointerEvent} event */
  press(event) {
    if (event.button !== 0) return;
    this.plot.setPointerCapture(event.pointerId);
    this.card.hidden = true;
    if (event.shiftKey) this.drag = { range: this.frameAt(event) };
    else {
      this.drag = { range: null };
      const near = this.nearSwitch(event);
      this.seek(near ? near.frame : this.frameAt(event));
    }
    this.root.focus({ preventScroll: true });
  }

  /** @param {PointerEvent} event */
  move(event) {
    if (!(event.buttons & 1) || !this.drag) return this.hover(event);
    const frame = this.frameAt(event);
    if (this.drag.range === null) this.seek(frame);
    else this.setRange(this.drag.range, frame);
  }

  leave() {
    this.card.hidden = true;
    this.asked = "";
  }

  /** @param {number} frame */
  seek(frame) {
    this.transport.pause();
    this.transport.go(frame);
  }

  /** Switches of the trackers on show. */
  switches() {
    const shown = this.trackersShown();
    /** @type {Switch[]} */
    const all = this.model.get("switches");
    return all.filter((s) => shown.includes(s.tracker));
  }

  /** @returns {number[]} */
  trackersShown() {
    const tracker = this.model.get("tracker");
    const other = comparedOf(this.model);
    return other < 0 ? [tracker] : [tracker, other];
  }

  /**
   * @param {{clientX: number}} event
   * @returns {Switch | null}
   */
  nearSwitch(event) {
    const box = this.plot.getBoundingClientRect();
    const x = event.clientX - box.left;
    let best = null;
    let least = NEAR;
    for (const mark of this.switches()) {
      const d = Math.abs(this.at(mark.frame) - x);
      if (d < least) {
        least = d;
        best = mark;
      }
    }
    return best;
  }

  // ---- the card

  /** @param {PointerEvent} event */
  hover(event) {
    if (!this.last) return;
    const mark = this.nearSwitch(event);
    const frame = mark ? mark.frame : clamp(Math.round(this.frameAt(event)), 1, this.last);
    const rate = this.model.get("frame_rate");
    const names = this.model.get("trackers");
    const lines = [h("strong", {}, `frame ${frame}${rate ? ` · ${((frame - 1) / rate).toFixed(2)} s` : ""}`)];
    for (const k of this.trackersShown()) {
      const lanes = this.lanesOf(k);
      if (!lanes) continue;
      const who = names.length > 1 ? `${names[k]}: ` : "";
      lines.push(
        h(
          "div",
          {},
          `${who}${counted(lanes[0][frame - 1], "false positive")}, ${counted(lanes[1][frame - 1], "miss", "misses")}`,
        ),
      );
    }
    const marks = mark ? this.switches().filter((s) => s.frame === frame) : [];
    for (const one of marks.slice(0, 4)) {
      const who = names.length > 1 ? `${names[one.tracker]}, ` : "";
      lines.push(
        h(
          "div",
          { class: "fml-card-switch" },
          `${who}person ${one.gt_id ?? "?"}: track ${one.from_id ?? "?"} → ${one.to_id ?? "?"}${one.kind ? ` (${one.kind})` : ""}`,
        ),
      );
      if (one.why) lines.push(h("div", { class: "fml-dim" }, one.why));
    }
    if (marks.length > 4) lines.push(h("div", {}, `and ${marks.length - 4} more`));
    const crop = h("canvas", { class: "fml-card-crop", hidden: true });
    this.card.replaceChildren(crop, h("div", {}, ...lines));
    this.card.hidden = false;
    const offset = this.plot.offsetLeft;
    this.card.style.left = `${clamp(offset + this.at(frame) - this.card.offsetWidth / 2, 0, Math.max(0, this.element.clientWidth - this.card.offsetWidth))}px`;
    if (mark) this.showCrop(mark, crop);
    else this.asked = "";
  }

  /**
   * @param {Switch} mark
   * @param {HTMLCanvasElement} canvas
   */
  async showCrop(mark, canvas) {
    const b = this.transport.boxes.values;
    const [from, to] = this.transport.boxes.range(mark.frame);
    let row = -1;
    for (let i = from; i < to; i += COLUMNS)
      if (b[i + LAYER] === 0 && b[i + ID] === mark.to_id && b[i + TRACKER] === mark.tracker) row = i;
    if (row < 0) return;
    const asked = `${mark.frame}/${mark.to_id}/${mark.tracker}`;
    if (this.asked !== asked) {
      this.asked = asked;
      this.crop = this.transport.store.crop(mark.frame, [b[row + X], b[row + Y], b[row + W], b[row + H]]);
    }
    const bitmap = await this.crop;
    if (!bitmap || this.asked !== asked) return;
    canvas.width = bitmap.width;
    canvas.height = bitmap.height;
    canvas.getContext("2d")?.drawImage(bitmap, 0, 0);
    canvas.hidden = false;
  }

  // ---- painting

  /**
   * Errors of a tracker per frame: false positives, misses; null where they are not known.
   * @param {number} tracker
   */
  lanesOf(tracker) {
    const view = this.model.get("lanes");
    if (!view?.byteLength) return null;
    if (this.lanesView !== view) {
      this.lanesView = view;
      this.counts = floats(view);
    }
    const counts = this.counts || new Float32Array(0);
    const start = tracker * 2 * this.last;
    if (counts.length < start + 2 * this.last) return null;
    return [counts.subarray(start, start + this.last), counts.subarray(start + this.last, start + 2 * this.last)];
  }

  /** @returns {Lane[]} top to bottom */
  lanes() {
    const { model } = this;
    const shown = this.trackersShown();
    const names = model.get("trackers");
    const several = shown.length > 1;
    /** @type {Lane[]} */
    const lanes = [{ label: "", height: 18, paint: (g, top, height) => this.paintRuler(g, top, height) }];
    const [falsePositives, misses] = this.lanesOf(shown[0]) || [];
    if (falsePositives && misses) {
      lanes.push(
        this.countLane("false positives", falsePositives, COLOURS.vermilion),
        this.countLane("misses", misses, COLOURS.sky),
      );
      const other = several ? this.lanesOf(shown[1]) : null;
      if (other) lanes.push(this.differenceLane(shown, [falsePositives, misses], other));
    }
    const marked = model.get("switches").length > 0;
    for (const k of shown)
      if (marked)
        lanes.push({
          label: several ? `switches, ${names[k]}` : "ID switches",
          height: 14,
          paint: (g, top, height) => this.paintSwitches(g, top, height, k),
        });
    const person = model.get("selected_gt_id");
    const track = model.get("selected_id");
    const { boxes } = this.transport;
    const known = person !== null && boxes.extent(person);
    if (known)
      for (const k of shown)
        lanes.push({
          label: several ? `person ${person}, ${names[k]}` : `person ${person}`,
          height: 14,
          paint: (g, top, height) => this.paintLife(g, top, height, known, boxes.life(PERSON, person, k)),
        });
    else if (track !== null) {
      const life = boxes.life(ID, track, shown[0]);
      if (life.length)
        lanes.push({
          label: `track ${track}`,
          height: 14,
          paint: (g, top, height) => this.paintLife(g, top, height, [life[0].frame, life[life.length - 1].frame], life),
        });
    }
    return lanes;
  }

  paint() {
    if (this.element.hidden || !this.width) return;
    const lanes = this.lanes();
    const height = lanes.reduce((sum, lane) => sum + lane.height, 0);
    this.plot.style.height = `${height}px`;
    this.element.classList.toggle("fml-time-bare", lanes.length === 1);
    this.labels.replaceChildren(
      ...lanes.map((lane) =>
        h("div", { style: `height: ${lane.height}px`, title: lane.title || lane.label }, lane.label),
      ),
    );
    const ratio = fitCanvas(this.canvas, this.width, height);
    const g = /** @type {CanvasRenderingContext2D} */ (this.canvas.getContext("2d"));
    this.theme = themeOf(this.root);
    g.setTransform(ratio, 0, 0, ratio, 0, 0);
    g.fillStyle = this.theme.back;
    g.fillRect(0, 0, this.width, height);
    const range = this.transport.range;
    if (range) {
      g.fillStyle = this.theme.accent;
      g.globalAlpha = 0.18;
      const [from, to] = [this.at(range[0] - 0.5), this.at(range[1] + 0.5)];
      g.fillRect(from, 0, to - from, height);
      g.globalAlpha = 1;
      g.fillRect(from, 0, 1, height);
      g.fillRect(to - 1, 0, 1, height);
    }
    let top = 0;
    for (const lane of lanes) {
      g.save();
      lane.paint(g, top, lane.height);
      g.restore();
      top += lane.height;
      g.fillStyle = this.theme.line;
      g.globalAlpha = 0.5;
      g.fillRect(0, top - 1, this.width, 1);
      g.globalAlpha = 1;
    }
    this.place();
  }

  /**
   * @param {CanvasRenderingContext2D} g
   * @param {number} top
   * @param {number} height
   */
  paintRuler(g, top, height) {
    const [first, last] = this.view;
    const perFrame = this.width / (last - first + 1);
    const step = STEPS.find((s) => s * perFrame >= TICK_GAP) || STEPS[STEPS.length - 1];
    g.fillStyle = this.theme?.text || "";
    g.font = "10.5px system-ui, sans-serif";
    g.textBaseline = "middle";
    g.textAlign = "center";
    for (const frame of this.transport.held)
      if (frame >= first && frame <= last) g.fillRect(this.at(frame) - 0.5, top + height - 3, 1, 3); // those that a page holds
    for (let frame = Math.max(step, Math.ceil(first / step) * step); frame <= last; frame += step) {
      const x = this.at(frame);
      g.fillRect(x - 0.5, top + height - 5, 1, 5);
      g.fillText(String(frame), clamp(x, 14, this.width - 14), top + height / 2 - 2);
    }
  }

  /**
   * Bars that show the largest count of all frames that share a pixel.
   * @param {string} label
   * @param {ArrayLike<number>} counts
   * @param {string} colour
   * @returns {Lane}
   */
  countLane(label, counts, colour) {
    let most = 0;
    for (let f = 0; f < counts.length; f++) most = Math.max(most, counts[f]);
    return {
      label: most ? `${label} ≤ ${most}` : `no ${label}`,
      title: most ? `${label} per frame, at most ${most}` : `no ${label}`,
      height: 20,
      paint: (g, top, height) => {
        g.fillStyle = colour;
        this.bars(counts, (x, width, value) => {
          const tall = Math.max(1, ((height - 3) * value) / Math.max(1, most));
          if (value > 0) g.fillRect(x, top + height - 1 - tall, width, tall);
        });
      },
    };
  }

  /**
   * Which of two trackers has more errors: up in the colour of the second, down in that of the first.
   * @param {number[]} trackers
   * @param {ArrayLike<number>[]} ours
   * @param {ArrayLike<number>[]} theirs
   * @returns {Lane}
   */
  differenceLane(trackers, ours, theirs) {
    const names = this.model.get("trackers");
    const difference = Float32Array.from(
      { length: this.last },
      (_, f) => theirs[0][f] + theirs[1][f] - ours[0][f] - ours[1][f],
    );
    let most = 1;
    for (const d of difference) most = Math.max(most, Math.abs(d));
    return {
      label: `${names[trackers[1]]} − ${names[trackers[0]]}`,
      title: `errors of ${names[trackers[1]]} minus errors of ${names[trackers[0]]}, per frame; at most ${most} either way`,
      height: 24,
      paint: (g, top, height) => {
        const middle = top + height / 2;
        this.bars(
          difference,
          (x, width, value) => {
            if (!value) return;
            const tall = Math.max(1, ((height / 2 - 2) * Math.abs(value)) / most);
            g.fillStyle = trackerColour(trackers[value > 0 ? 1 : 0]);
            g.fillRect(x, value > 0 ? middle - tall : middle, width, tall);
          },
          true,
        );
      },
    };
  }

  /**
   * Call back with the left edge, the width and the value of each bar on show.
   * @param {ArrayLike<number>} values
   * @param {(x: number, width: number, value: number) => void} draw
   * @param {boolean} [signed]
   */
  bars(values, draw, signed = false) {
    const [first, last] = this.view;
    const perFrame = this.width / (last - first + 1);
    const from = Math.max(1, Math.floor(first));
    const to = Math.min(this.last, Math.ceil(last));
    if (perFrame >= 1) {
      for (let f = from; f <= to; f++) draw(this.at(f - 0.5), perFrame + 0.5, values[f - 1]);
      return;
    }
    for (let x = 0; x < this.width; x++) {
      const a = Math.max(from, Math.floor(first + x / perFrame));
      const b = Math.min(to, Math.floor(first + (x + 1) / perFrame));
      let value = 0;
      for (let f = a; f <= b; f++)
        if (signed ? Math.abs(values[f - 1]) > Math.abs(value) : values[f - 1] > value) value = values[f - 1];
      draw(x, 1, value);
    }
  }

  /**
   * A triangle for each switch: found without seeing its colour.
   * @param {CanvasRenderingContext2D} g
   * @param {number} top
   * @param {number} height
   * @param {number} tracker
   */
  paintSwitches(g, top, height, tracker) {
    const person = this.model.get("selected_gt_id");
    g.strokeStyle = this.theme?.text || "";
    g.lineWidth = 0.75;
    for (const mark of this.model.get("switches")) {
      if (mark.tracker !== tracker) continue;
      const x = this.at(mark.frame);
      if (x < -5 || x > this.width + 5) continue;
      g.globalAlpha = person === null || mark.gt_id === person || mark.gt_id === undefined ? 1 : 0.4;
      g.fillStyle = this.model.get("trackers").length > 1 ? trackerColour(tracker) : COLOURS.purple;
      g.beginPath();
      g.moveTo(x - 4.5, top + 2);
      g.lineTo(x + 4.5, top + 2);
      g.lineTo(x, top + height - 3);
      g.closePath();
      g.fill();
      g.stroke();
    }
  }

  /**
   * A life as a bar coloured by track; thin where the person is missed.
   * @param {CanvasRenderingContext2D} g
   * @param {number} top
   * @param {number} height
   * @param {[number, number]} extent
   * @param {{frame: number, id: number}[]} life
   */
  paintLife(g, top, height, extent, life) {
    const palette = this.model.get("palette");
    g.fillStyle = this.theme?.dim || "";
    const from = this.at(extent[0] - 0.5);
    g.fillRect(from, top + height / 2 - 1, this.at(extent[1] + 0.5) - from, 1.5);
    let start = 0;
    for (let k = 1; k <= life.length; k++) {
      if (k < life.length && life[k].id === life[k - 1].id && life[k].frame === life[k - 1].frame + 1) continue;
      const left = this.at(life[start].frame - 0.5);
      g.fillStyle = colourOf(palette, life[start].id);
      g.fillRect(left, top + 2, Math.max(1, this.at(life[k - 1].frame + 0.5) - left), height - 5);
      start = k;
    }
  }

  /** Move the cursor to the frame on show; a zoomed axis follows it. */
  place() {
    const { frame } = this.transport;
    const [first, last] = this.view;
    if (this.last && (frame < first || frame > last)) {
      this.panTo(frame < first ? frame : frame - (last - first), last - first + 1);
      return;
    }
    this.cursor.style.left = `${((frame - first + 0.5) / (last - first + 1)) * 100}%`;
  }
}
