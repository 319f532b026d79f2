// The canvas player: compressed frames come from the kernel, boxes are drawn here.
import { h, icon, button, frameOf, errorBanner, noteOf, makeScope, themeOf, fitCanvas, floats, octets, colourOf, clamp, setTraits, inkOn, COLOURS } from "./common.js";

const COLUMNS = 8; // of the trait `boxes`: frame, layer, id, x, y, w, h, score
const LAYERS = [
  { key: "tracks", label: "tracks", id: "selected_id" },
  { key: "ground_truth", label: "ground truth", id: "selected_gt_id", colour: "#ffffff", dash: [8, 4] },
  { key: "false_positives", label: "false positives", id: "selected_id", colour: COLOURS.vermilion, hatch: true },
  { key: "misses", label: "misses", id: "selected_gt_id", colour: COLOURS.sky, dash: [2, 4] },
  { key: "switches", label: "ID switches", id: "selected_id", colour: COLOURS.yellow, double: true },
];
const LANES = [ // of the timeline, top to bottom
  { layer: "false_positives", label: "false positives", colour: COLOURS.vermilion },
  { layer: "misses", label: "misses", colour: COLOURS.sky },
];
const MAX_IN_FLIGHT = 8; // frames on their way at any time, so that a fast drag leaves no queue behind in the kernel
const BATCH = 4;
const DECODE_AHEAD = 3;
const DECODED = 9; // bitmaps kept: 8 MB each at 1080p
const SPEEDS = [0.25, 0.5, 1, 2, 4];

/**
 * Fetches, keeps and plays the frames of one model. All views of the model share it, and it ends with the last of them.
 * `frame` is the frame asked for; `shown` the one whose picture is there. The trait `frame` follows a little later: were it set
 * at every step, the kernel's echo of an older step would move the view back.
 */
class Player {
  constructor(model) {
    this.model = model;
    this.views = new Set();
    this.frame = model.get("frame");
    this.shown = 0;
    this.direction = 1;
    this.playing = false;
    this.store = new Map(); // frame -> {blob, bytes, overlay}
    this.stored = 0;
    this.pictures = new Map(); // frame -> {bitmap, overlay}
    this.asked = new Map(); // frame -> time of the request
    this.decoding = new Set();
    this.failed = new Map(); // frame -> what the kernel said
    this.counts = { hits: 0, misses: 0, painted: 0, dropped: 0, asked: 0 };
    this.scope = makeScope(model);
    this.scope.model("msg:custom", (message, buffers) => this.receive(message, buffers));
    this.scope.model("change:frame", () => { if (model.get("frame") !== this.frame) this.go(model.get("frame"), false); });
    this.scope.model("change:boxes", () => this.index());
    this.scope.model("change:generation change:length", () => this.forget());
    this.scope.model("change:playing", () => this.play(model.get("playing"), false));
    this.index();
    this.poster();
    if (model.get("playing")) this.play(true, false);
  }

  get last() { return this.model.get("length"); }

  /** Where the boxes of each frame begin: rows are sorted by frame. */
  index() {
    this.boxes = floats(this.model.get("boxes"));
    this.starts = new Uint32Array(this.last + 2);
    for (let i = 0; i < this.boxes.length; i += COLUMNS) { const f = this.boxes[i]; if (f >= 1 && f <= this.last) this.starts[f + 1]++; }
    for (let f = 1; f < this.starts.length; f++) this.starts[f] += this.starts[f - 1];
    this.refresh();
  }

  *rows(frame) {
    if (frame < 1 || frame > this.last) return;
    for (let i = this.starts[frame] * COLUMNS; i < this.starts[frame + 1] * COLUMNS; i += COLUMNS) yield i;
  }

  /** The picture saved with the notebook: what there is to see until, or without, a kernel that answers. */
  async poster() {
    const view = this.model.get("poster");
    if (!view || !view.byteLength) return;
    const frame = this.frame;
    try {
      const bitmap = await createImageBitmap(new Blob([octets(view)]));
      if (this.dead || this.pictures.size) return bitmap.close();
      this.keep(frame, { bitmap, overlay: null, poster: true });
      this.show();
    } catch { /* without a poster the canvas stays empty until the first frame */ }
  }

  /** The pictures are of something else now: keep only the one on show, until its successor is here. */
  forget() {
    this.store.clear(); this.stored = 0; this.asked.clear(); this.failed.clear();
    for (const [f, picture] of this.pictures) if (f !== this.shown) { picture.bitmap.close(); this.pictures.delete(f); } else picture.poster = true;
    this.frame = clamp(this.frame, 1, Math.max(1, this.last));
    this.index();
    this.request();
  }

  receive(message, buffers) {
    if (message.generation !== undefined && message.generation !== this.model.get("generation")) return;
    if (message.kind === "failed") {
      this.asked.delete(message.frame);
      this.failed.set(message.frame, message.text);
      this.refresh();
      this.request();
    } else if (message.kind === "frame") {
      this.asked.delete(message.frame);
      this.failed.delete(message.frame);
      const jpeg = octets(buffers[0]);
      const overlay = message.overlay ? { ...message.overlay, values: floats(buffers[1]), peaks: floats(buffers[2]) } : null;
      const bytes = jpeg.byteLength + (overlay ? overlay.values.byteLength + overlay.peaks.byteLength : 0);
      if (!this.store.has(message.frame)) { this.store.set(message.frame, { blob: new Blob([jpeg], { type: "image/jpeg" }), bytes, overlay }); this.stored += bytes; }
      this.trim();
      this.request();
    }
  }

  distance(frame) { const d = (frame - this.frame) * this.direction; return d >= 0 ? d : -2 * d; }

  trim() {
    const budget = this.model.get("cache_mb") * 1e6;
    if (this.stored <= budget) return;
    for (const f of [...this.store.keys()].sort((a, b) => this.distance(b) - this.distance(a))) {
      if (this.stored <= budget || f === this.frame) break;
      this.stored -= this.store.get(f).bytes;
      this.store.delete(f);
    }
  }

  keep(frame, picture) {
    this.pictures.get(frame)?.bitmap.close();
    this.pictures.set(frame, picture);
    if (this.pictures.size <= DECODED) return;
    const far = [...this.pictures.keys()].filter(f => f !== this.shown).sort((a, b) => this.distance(b) - this.distance(a))[0];
    this.pictures.get(far).bitmap.close();
    this.pictures.delete(far);
  }

  has(frame) { const picture = this.pictures.get(frame); return !!picture && !picture.poster; }

  /** Ask for the frame on show first; read ahead only while we keep up. */
  request() {
    if (this.dead || !this.last) return;
    const ahead = this.model.get("prefetch");
    const missing = !this.has(this.frame) && !this.store.has(this.frame);
    const limit = missing && !this.playing ? 2 : MAX_IN_FLIGHT;
    const wanted = [];
    const want = f => {
      if (f >= 1 && f <= this.last && !this.store.has(f) && !this.asked.has(f) && !this.failed.has(f) && this.asked.size + wanted.length < limit) wanted.push(f);
    };
    if (missing) want(this.frame);
    if (!missing || this.playing) for (const f of this.following(ahead)) if (wanted.length < BATCH) want(f);
    if (wanted.length) {
      for (const f of wanted) this.asked.set(f, performance.now());
      this.counts.asked += wanted.length;
      this.model.send({ kind: "need", frames: wanted, generation: this.model.get("generation") });
      this.watch();
    }
    this.decodeNear();
  }

  /** The frames that come next the way we are going. */
  following(count) {
    const held = this.model.get("held") || [];
    if (!held.length) {
      // strides are cut at the ends: the last frame is read however they fall
      const next = Array.from({ length: count }, (_, i) => clamp(this.frame + (i + 1) * this.direction * this.stride(), 1, this.last));
      return [...new Set(next)].filter(f => f !== this.frame);
    }
    return this.direction > 0 ? held.filter(f => f > this.frame).slice(0, count) : held.filter(f => f < this.frame).slice(-count).reverse();
  }

  /** Faster than real time not every frame is shown, so not every frame is fetched. */
  stride() { return this.playing ? Math.max(1, Math.round(this.model.get("speed") * this.model.get("frame_rate") / 30)) : 1; }

  /** Say so when the kernel does not answer. */
  watch() {
    clearTimeout(this.watchdog);
    this.silent = false;
    this.watchdog = setTimeout(() => { this.silent = this.asked.size > 0; this.refresh(); }, 3000);
  }

  decodeNear() {
    if (this.store.has(this.frame)) {
      for (const f of [this.frame, ...this.following(DECODE_AHEAD)]) if (this.decoding.size < 2) this.decode(f);
    } else if (!this.has(this.frame) && !this.decoding.size) { // on the way there: show the nearest frame that is here
      let best = 0;
      for (const f of this.store.keys()) if (Math.abs(f - this.frame) < Math.abs((best || this.shown) - this.frame)) best = f;
      if (best) this.decode(best);
    }
  }

  async decode(frame) {
    const stored = this.store.get(frame);
    if (!stored || this.has(frame) || this.decoding.has(frame)) return;
    this.decoding.add(frame);
    try {
      const bitmap = await createImageBitmap(stored.blob);
      if (this.dead || this.store.get(frame) !== stored) { bitmap.close(); return; }
      this.keep(frame, { bitmap, overlay: stored.overlay });
    } catch (error) {
      this.failed.set(frame, `The picture of frame ${frame} cannot be decoded (${error.message}).`);
      this.store.delete(frame); this.stored -= stored.bytes;
      this.refresh();
    } finally { this.decoding.delete(frame); }
    if (this.dead) return;
    this.show();
    this.request();
  }

  /** Show the frame asked for, or the nearest on the way to it. Boxes are always those of the picture. */
  show() {
    let best = this.has(this.frame) ? this.frame : 0;
    if (!best) for (const f of this.pictures.keys()) if (!best || Math.abs(f - this.frame) < Math.abs(best - this.frame)) best = f;
    const picture = this.pictures.get(best);
    if (best && (best !== this.shown || picture !== this.painted)) this.counts.painted++;
    else if (this.told === this.frame) return; // a frame that was decoded ahead changes nothing on the screen
    if (best) { this.shown = best; this.painted = picture; }
    this.told = this.frame;
    this.refresh();
  }

  refresh() { for (const view of this.views) view.paint(); }

  /** Frames that a page without a kernel holds; empty: all. */
  snap(frame, direction) {
    const held = this.model.get("held") || [];
    if (!held.length) return frame;
    const before = held.filter(f => f <= frame).pop() ?? held[0];
    const after = held.find(f => f >= frame) ?? held[held.length - 1];
    return direction > 0 ? after : direction < 0 ? before : frame - before <= after - frame ? before : after;
  }

  go(frame, tell = true, direction = 0) {
    if (!this.last) return;
    frame = this.snap(clamp(Math.round(frame), 1, this.last), direction);
    if (frame === this.frame && frame === this.shown) return;
    if (frame !== this.frame) this.direction = frame < this.frame ? -1 : 1;
    this.frame = frame;
    this.has(frame) ? this.counts.hits++ : this.counts.misses++;
    this.show();
    this.request();
    if (tell) this.tell();
  }

  step(by) { this.pause(); this.go(this.frame + by, true, Math.sign(by)); }

  /** The kernel hears of the first step at once and of later ones at most ten times a second. */
  tell() {
    if (this.telling) return;
    const send = () => {
      if (this.dead || this.model.get("frame") === this.frame) { this.telling = null; return; }
      setTraits(this.model, { frame: this.frame });
      this.telling = setTimeout(send, 100);
    };
    send();
  }

  jump(direction) {
    const frames = this.model.get("switches").map(s => s.frame).sort((a, b) => a - b);
    const target = direction > 0 ? frames.find(f => f > this.frame) : frames.reverse().find(f => f < this.frame);
    if (target !== undefined) { this.pause(); this.go(target); }
    return target;
  }

  play(on, tell = true) {
    if (on === this.playing || (on && this.last < 2)) return;
    this.playing = on;
    this.direction = 1;
    cancelAnimationFrame(this.animation);
    if (on) {
      if (this.frame >= this.last) this.go(1);
      this.base = { time: performance.now(), frame: this.frame };
      this.animation = requestAnimationFrame(now => this.tick(now));
      this.request();
    }
    if (tell) setTraits(this.model, { playing: on });
    this.refresh();
  }

  pause() { if (this.playing) this.play(false); }

  /** Show the newest frame that is due and here: late frames are dropped, and a stall moves the clock, not the picture. */
  tick(now) {
    if (!this.playing || this.dead) return;
    const rate = this.model.get("frame_rate") * this.model.get("speed");
    const held = this.model.get("held") || [];
    let due = this.base.frame + Math.floor((now - this.base.time) / 1000 * rate);
    if (held.length) due = held.filter(f => f <= due).pop() ?? this.frame;
    if (due > this.frame) {
      let frame = Math.min(due, this.last);
      while (frame > this.frame && !this.has(frame)) frame--;
      if (frame > this.frame) {
        this.counts.dropped += frame - this.frame - 1;
        this.go(frame);
      } else if (held.length || due >= Math.min(this.frame + this.stride(), this.last)) { // those between were not asked for
        this.direction = 1; // the kernel may have set an earlier frame meanwhile: read ahead, not back
        this.request();
        this.base = { time: now, frame: this.frame };
      }
      if (this.frame >= (held.length ? held[held.length - 1] : this.last)) return this.pause();
    }
    this.animation = requestAnimationFrame(time => this.tick(time));
  }

  close() {
    this.dead = true;
    cancelAnimationFrame(this.animation);
    clearTimeout(this.telling);
    clearTimeout(this.watchdog);
    this.scope.close();
    for (const picture of this.pictures.values()) picture.bitmap.close();
    this.pictures.clear(); this.store.clear();
  }
}

const players = new WeakMap();

function sharePlayer(model, view) {
  if (!players.has(model)) players.set(model, new Player(model));
  const player = players.get(model);
  player.views.add(view);
  return player;
}

function leavePlayer(model, view) {
  const player = players.get(model);
  player.views.delete(view);
  if (!player.views.size) { player.close(); players.delete(model); }
}

/** One view: canvas, timeline and controls. Zoom and pan belong to the view, the rest to the model. */
class PlayerView {
  constructor(model, el) {
    this.model = model;
    this.scope = makeScope(model);
    this.zoom = { scale: 1, x: 0, y: 0 }; // part of the frame on show: its corner in image pixels
    this.hover = null;
    this.heat = { canvas: document.createElement("canvas"), key: null };
    this.build(el);
    this.player = sharePlayer(model, this);
    this.wire();
    this.layout();
    this.player.request();
  }

  build(el) {
    const model = this.model, name = model.get("name");
    const root = this.root = frameOf(el, "player", `Player of ${name || "a sequence"}`);
    root.tabIndex = 0;
    root.setAttribute("aria-keyshortcuts", "ArrowLeft ArrowRight Space Home End N P T Escape");
    this.banner = errorBanner(model, this.scope);
    this.canvas = h("canvas", { class: "fml-screen", role: "img", "aria-label": `Frame of ${name}` });
    this.screen = h("div", { class: "fml-stage" }, this.canvas);
    this.empty = h("div", { class: "fml-empty", hidden: true });
    this.screen.append(this.empty);
    this.lanes = h("canvas");
    this.cursor = h("div", { class: "fml-cursor" });
    this.timeline = h("div", { class: "fml-timeline", "aria-hidden": "true" }, this.lanes, this.cursor);
    this.scrubber = h("input", { type: "range", class: "fml-scrubber", min: 1, step: 1, "aria-label": "Frame" });
    this.counter = h("output", { class: "fml-counter" });
    this.playButton = button("play", "Play (space)", () => this.player.play(!this.player.playing));
    this.speed = h("select", { "aria-label": "Speed", title: "Speed" }, ...SPEEDS.map(s => h("option", { value: s }, `${s}×`)));
    this.score = h("input", { type: "range", min: 0, max: 1, step: 0.01, "aria-label": "Least score of the boxes shown" });
    this.scoreText = h("output", {});
    this.scoreLabel = h("label", { class: "fml-pair", title: "Hide boxes whose score is lower" }, "score ≥ ", this.scoreText, this.score);
    this.layers = h("fieldset", { class: "fml-layers" }, h("legend", { class: "fml-hidden" }, "Layers"));
    this.readout = h("div", { class: "fml-readout", "aria-hidden": "true" });
    this.status = h("div", { class: "fml-hidden", role: "status", "aria-live": "polite" });
    this.previous = button("previous", "Previous ID switch (p)", () => this.jump(-1));
    this.next = button("next", "Next ID switch (n)", () => this.jump(1));
    this.help = h("div", { class: "fml-help", hidden: true },
      ...[["← →", "one frame"], ["shift ← →", "ten frames"], ["space", "play or pause"], ["home end", "first, last frame"], ["n p", "next, previous ID switch"],
        ["t, shift t", "select the next, previous box"], ["esc", "select nothing"], ["+ − 0", "zoom in, out, whole frame"], ["ctrl ← ↑ → ↓", "move the zoomed part"],
        ["1 … 5", "show or hide a layer"], ["f", "full screen"], ["ctrl wheel, drag", "zoom, pan"]].map(([keys, does]) => h("div", {}, h("kbd", {}, keys), ` ${does}`)));
    root.append(this.banner.element, this.screen, this.timeline,
      h("div", { class: "fml-bar" },
        button("back", "One frame back (left arrow)", () => this.player.step(-1)), this.playButton,
        button("forward", "One frame on (right arrow)", () => this.player.step(1)),
        this.scrubber, this.counter),
      h("div", { class: "fml-bar" }, this.previous, this.next, this.speed, this.scoreLabel, this.layers, h("span", { class: "fml-space" }),
        h("span", { class: "fml-group" }, button("minus", "Zoom out (-)", () => this.zoomBy(1 / 1.5)), button("plus", "Zoom in (+)", () => this.zoomBy(1.5)),
        button("fit", "Whole frame (0)", () => this.zoomTo(1, 0, 0)), button("full", "Full screen (f)", () => this.fullscreen()),
        button("help", "Keys (?)", () => { this.help.hidden = !this.help.hidden; }))),
      this.help, this.readout, noteOf(model, this.scope), this.status);
  }

  wire() {
    const { scope, model, player } = this;
    scope.model("change:selected_id change:selected_gt_id change:min_score change:layers change:trail change:overlay_opacity change:overlay_colours change:overlay_floor change:speed change:switches change:smooth", () => this.paint());
    scope.model("change:lanes change:switches change:length", () => { this.paintLanes(); this.paint(); });
    scope.model("change:width change:height change:length change:available change:name", () => this.layout());
    scope.resize(this.screen, () => { this.size = null; this.paintLanes(); this.paint(); });
    scope.theme(() => { this.paintLanes(); this.paint(); });
    scope.dom(this.root, "keydown", event => this.key(event));
    scope.dom(this.scrubber, "input", () => { player.pause(); player.go(+this.scrubber.value); });
    scope.dom(this.speed, "change", () => { setTraits(model, { speed: +this.speed.value }); player.base = { time: performance.now(), frame: player.frame }; });
    scope.dom(this.score, "input", () => { model.set("min_score", +this.score.value); this.saveSoon(); });
    scope.dom(this.canvas, "pointermove", event => this.move(event));
    scope.dom(this.canvas, "pointerleave", () => { this.hover = null; this.readout.textContent = ""; this.paint(); });
    scope.dom(this.canvas, "pointerdown", event => this.press(event));
    scope.dom(this.canvas, "pointerup", event => this.release(event));
    scope.dom(this.canvas, "pointercancel", () => { this.drag = null; });
    scope.dom(this.canvas, "wheel", event => {
      if (!event.ctrlKey && !event.metaKey) return; // the plain wheel scrolls the notebook
      event.preventDefault();
      const [x, y] = this.toImage(event);
      this.zoomBy(event.deltaY < 0 ? 1.25 : 0.8, x, y);
    }, { passive: false });
    scope.dom(this.timeline, "pointerdown", event => { this.timeline.setPointerCapture(event.pointerId); this.seek(event); });
    scope.dom(this.timeline, "pointermove", event => { if (event.buttons & 1) this.seek(event); });
    scope.dom(document, "fullscreenchange", () => this.layout());
    scope.also(() => clearTimeout(this.saving));
    // For tests and benchmarks: what was fetched and painted.
    this.root.player = player;
  }

  /** Sliders change the view at once and tell the kernel ten times a second. */
  saveSoon() {
    clearTimeout(this.saving);
    this.saving = setTimeout(() => this.model.save_changes(), 100);
  }

  layout() {
    const { model } = this, length = model.get("length"), available = model.get("available");
    const boxes = available.map(key => {
      const index = LAYERS.findIndex(l => l.key === key), layer = LAYERS[index];
      const input = h("input", { type: "checkbox", "data-layer": key, onchange: () => this.toggle(key) });
      const swatch = h("span", { class: `fml-swatch fml-swatch-${key.replace("_", "-")}`, "aria-hidden": "true" });
      return h("label", { title: `Key ${index + 1}` }, input, swatch, layer.label);
    });
    this.layers.replaceChildren(this.layers.firstChild, ...boxes);
    this.layers.hidden = !available.length;
    this.scoreLabel.hidden = !available.includes("tracks");
    this.timeline.hidden = length < 2;
    this.scrubber.max = Math.max(1, length);
    this.scrubber.disabled = length < 2;
    this.empty.hidden = length > 0;
    this.empty.textContent = `${model.get("name") || "The source"} holds no frames.`;
    this.screen.style.aspectRatio = document.fullscreenElement === this.root ? "auto" : `${Math.max(1, model.get("width"))} / ${Math.max(1, model.get("height"))}`;
    this.size = this.settings = null;
    this.paintLanes();
    this.paint();
  }

  toggle(key) {
    const shown = new Set(this.model.get("layers"));
    shown.has(key) ? shown.delete(key) : shown.add(key);
    setTraits(this.model, { layers: this.model.get("available").filter(l => shown.has(l)) });
  }

  // ---- geometry: screen pixels (device) = (image - zoom corner) * pixelScale + offset
  measure() {
    if (!this.size) { // asked for once per change: asking makes the browser lay out the page
      const box = this.screen.getBoundingClientRect();
      this.size = box.width ? box : null;
      this.ratio = fitCanvas(this.canvas, box.width, box.height);
    }
    const W = Math.max(1, this.model.get("width")), H = Math.max(1, this.model.get("height"));
    const fit = Math.min(this.canvas.width / W, this.canvas.height / H);
    this.s = fit * this.zoom.scale;
    this.ox = Math.max(0, (this.canvas.width - W * fit) / 2);
    this.oy = Math.max(0, (this.canvas.height - H * fit) / 2);
  }

  toScreen(x, y) { return [(x - this.zoom.x) * this.s + this.ox, (y - this.zoom.y) * this.s + this.oy]; }

  toImage(event) {
    const box = this.canvas.getBoundingClientRect();
    const px = (event.clientX - box.left) * this.canvas.width / box.width, py = (event.clientY - box.top) * this.canvas.height / box.height;
    return [(px - this.ox) / this.s + this.zoom.x, (py - this.oy) / this.s + this.zoom.y];
  }

  zoomTo(scale, x, y) {
    const W = this.model.get("width"), H = this.model.get("height");
    scale = clamp(scale, 1, 16);
    this.zoom = { scale, x: clamp(x, 0, W - W / scale), y: clamp(y, 0, H - H / scale) };
    this.canvas.style.cursor = scale > 1 ? "grab" : "";
    this.paint();
  }

  zoomBy(factor, x, y) {
    const W = this.model.get("width"), H = this.model.get("height"), old = this.zoom;
    x ??= old.x + W / old.scale / 2;
    y ??= old.y + H / old.scale / 2;
    const scale = clamp(old.scale * factor, 1, 16);
    this.zoomTo(scale, x - (x - old.x) * old.scale / scale, y - (y - old.y) * old.scale / scale);
  }

  fullscreen() {
    if (document.fullscreenElement) document.exitFullscreen();
    else this.root.requestFullscreen?.().catch(error => this.banner.say(`Full screen is not allowed here (${error.message}).`));
  }

  // ---- input
  key(event) {
    const { player } = this, key = event.key, typing = event.target.matches("select, input[type=range], input[type=checkbox]");
    const pan = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[key];
    if (event.target === this.score || event.target === this.speed) { event.stopPropagation(); return; } // they use the arrows themselves
    if ((event.ctrlKey || event.metaKey) && pan) {
      const { scale, x, y } = this.zoom;
      this.zoomTo(scale, x + pan[0] * this.model.get("width") / scale / 8, y + pan[1] * this.model.get("height") / scale / 8);
    } else if (event.ctrlKey || event.metaKey || event.altKey) return;
    else if (key === "ArrowRight") player.step(event.shiftKey ? 10 : 1);
    else if (key === "ArrowLeft") player.step(event.shiftKey ? -10 : -1);
    else if (key === "Home") player.step(-this.player.last);
    else if (key === "End") player.step(this.player.last);
    else if (key === " ") { if (event.target.matches("button, input[type=checkbox]")) { event.stopPropagation(); return; } player.play(!player.playing); }
    else if (key === "n") this.jump(1);
    else if (key === "p") this.jump(-1);
    else if (key === "t" || key === "T") this.cycle(event.shiftKey ? -1 : 1);
    else if (key === "Escape") this.select(null);
    else if (key === "+" || key === "=") this.zoomBy(1.5);
    else if (key === "-") this.zoomBy(1 / 1.5);
    else if (key === "0") this.zoomTo(1, 0, 0);
    else if (key === "f") this.fullscreen();
    else if (key === "?") this.help.hidden = !this.help.hidden;
    else if (key >= "1" && key <= String(LAYERS.length)) { const layer = LAYERS[key - 1].key; if (this.model.get("available").includes(layer)) this.toggle(layer); }
    else if (key === "Enter" && typing) return;
    else { if (key !== "Tab") event.stopPropagation(); return; } // no key of ours reaches the notebook, except to leave
    event.preventDefault();
    event.stopPropagation();
  }

  jump(direction) {
    const target = this.player.jump(direction);
    if (target === undefined) this.announce(direction > 0 ? "No later ID switch." : "No earlier ID switch.");
    else {
      const there = this.model.get("switches").find(s => s.frame === target);
      if (there.to_id !== undefined && there.to_id !== null) this.select({ id: there.to_id, gt_id: there.gt_id });
    }
  }

  visible(frame) {
    const shown = new Set(this.model.get("layers")), floor = this.model.get("min_score"), boxes = this.player.boxes, rows = [];
    for (const i of this.player.rows(frame)) {
      const layer = LAYERS[boxes[i + 1]];
      if (!shown.has(layer.key)) continue;
      if (layer.id === "selected_id" && layer.key !== "switches" && boxes[i + 7] < floor) continue;
      rows.push(i);
    }
    return rows;
  }

  /** The smallest box under a point, since large boxes hide small ones. */
  hit(x, y) {
    const b = this.player.boxes;
    let best = null, least = Infinity;
    for (const i of this.visible(this.player.shown)) {
      const area = b[i + 5] * b[i + 6];
      if (x >= b[i + 3] && x <= b[i + 3] + b[i + 5] && y >= b[i + 4] && y <= b[i + 4] + b[i + 6] && area <= least) { best = i; least = area; }
    }
    return best;
  }

  select(row) {
    if (row === null) return setTraits(this.model, { selected_id: null, selected_gt_id: null });
    if (typeof row === "object") return setTraits(this.model, { selected_id: row.id, ...(row.gt_id !== undefined ? { selected_gt_id: row.gt_id } : {}) });
    const b = this.player.boxes, trait = LAYERS[b[row + 1]].id;
    setTraits(this.model, { [trait]: b[row + 2] });
    this.announce(`${trait === "selected_id" ? "Track" : "Person"} ${b[row + 2]} selected.`);
  }

  cycle(direction) {
    const b = this.player.boxes, rows = this.visible(this.player.shown).sort((i, j) => b[i + 3] - b[j + 3]);
    if (!rows.length) return;
    const selected = rows.findIndex(i => b[i + 2] === this.model.get(LAYERS[b[i + 1]].id) && b[i + 1] === (this.cycled ?? b[i + 1]));
    const row = rows[(selected + direction + rows.length + (selected < 0 && direction < 0 ? 1 : 0)) % rows.length];
    this.cycled = b[row + 1];
    this.select(row);
  }

  press(event) {
    this.root.focus({ preventScroll: true });
    if (event.button !== 0) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.drag = { x: event.clientX, y: event.clientY, zoom: { ...this.zoom }, moved: false };
  }

  move(event) {
    if (this.drag && event.buttons & 1) {
      const dx = event.clientX - this.drag.x, dy = event.clientY - this.drag.y;
      if (Math.hypot(dx, dy) > 4) this.drag.moved = true;
      if (this.drag.moved && this.zoom.scale > 1) { const k = this.ratio / this.s; this.zoomTo(this.zoom.scale, this.drag.zoom.x - dx * k, this.drag.zoom.y - dy * k); }
      return;
    }
    const [x, y] = this.toImage(event), hit = this.hit(x, y);
    if (this.zoom.scale <= 1) this.canvas.style.cursor = hit === null ? "" : "pointer";
    this.describe(x, y, hit);
    if (hit !== this.hover) { this.hover = hit; this.paint(); }
  }

  release(event) {
    const drag = this.drag;
    this.drag = null;
    if (!drag || drag.moved) return;
    const [x, y] = this.toImage(event);
    this.select(this.hit(x, y));
    this.model.send({ kind: "click", frame: this.player.shown, x, y });
  }

  seek(event) {
    const box = this.timeline.getBoundingClientRect(), at = clamp((event.clientX - box.left) / box.width, 0, 1);
    let frame = 1 + at * (this.player.last - 1);
    const near = this.model.get("switches").map(s => s.frame).sort((a, b) => Math.abs(a - frame) - Math.abs(b - frame))[0];
    if (event.type === "pointerdown" && near !== undefined && Math.abs(near - frame) * box.width / this.player.last < 5) frame = near;
    this.player.pause();
    this.player.go(frame);
    this.root.focus({ preventScroll: true });
  }

  // ---- words
  describe(x, y, hit) {
    const overlay = this.player.pictures.get(this.player.shown)?.overlay, b = this.player.boxes, words = [`x ${x.toFixed(1)}, y ${y.toFixed(1)} px`];
    if (overlay && overlay.columns) {
      const cx = (x * overlay.scale + overlay.pad_x) / overlay.stride, cy = (y * overlay.scale + overlay.pad_y) / overlay.stride;
      const column = Math.floor(cx), row = Math.floor(cy);
      if (column >= 0 && row >= 0 && column < overlay.columns && row < overlay.rows)
        words.push(`${overlay.label || "heatmap"} cell ${column}, ${row}: ${overlay.values[row * overlay.columns + column].toFixed(4)}`);
    }
    if (hit !== null) words.push(`${LAYERS[b[hit + 1]].label} ${b[hit + 2]}, score ${b[hit + 7].toFixed(3)}, ${b[hit + 5].toFixed(0)} × ${b[hit + 6].toFixed(0)} px`);
    this.readout.textContent = words.join("  ·  ");
  }

  announce(text) { this.status.textContent = text; }

  // ---- painting
  paint() {
    if (!this.player) return;
    this.measure();
    const { player, model, canvas } = this, g = canvas.getContext("2d", { alpha: false }), picture = player.pictures.get(player.shown);
    g.setTransform(1, 0, 0, 1, 0, 0);
    if (!picture || this.ox || this.oy) { g.fillStyle = "#000"; g.fillRect(0, 0, canvas.width, canvas.height); }
    if (picture) {
      const [x, y] = this.toScreen(0, 0), W = model.get("width") * this.s, H = model.get("height") * this.s;
      g.save();
      g.beginPath(); g.rect(this.ox, this.oy, canvas.width - 2 * this.ox, canvas.height - 2 * this.oy); g.clip();
      g.imageSmoothingEnabled = this.zoom.scale < 6;
      g.drawImage(picture.bitmap, x, y, W, H);
      if (picture.overlay) this.paintOverlay(g, picture.overlay);
      this.paintTrails(g);
      for (const i of this.visible(player.shown)) this.paintBox(g, i);
      g.restore();
      if (!picture.poster) canvas.dataset.frame = player.shown;
    }
    canvas.dataset.boxes = this.visible(player.shown).length;
    this.cursor.style.left = `${(player.frame - 1) / Math.max(1, player.last - 1) * 100}%`;
    this.controls();
  }

  paintOverlay(g, overlay) {
    const model = this.model, opacity = model.get("overlay_opacity"), floor = model.get("overlay_floor");
    if (overlay.columns && opacity > 0) {
      const lut = octets(model.get("overlay_colours")), key = `${this.player.shown}/${model.get("generation")}/${lut.length && lut[383]}/${lut[0]}`;
      if (this.heat.key !== key || this.heat.values !== overlay.values) {
        const { columns, rows, values, low, high } = overlay, image = new ImageData(columns, rows), data = image.data;
        for (let i = 0; i < columns * rows; i++) {
          const v = clamp(Math.round((values[i] - low) / (high - low) * 255), 0, 255);
          data[4 * i] = lut[3 * v]; data[4 * i + 1] = lut[3 * v + 1]; data[4 * i + 2] = lut[3 * v + 2];
          data[4 * i + 3] = overlay.fade ? 60 + 0.765 * v : 255; // where there is little to see, see the frame
        }
        this.heat.canvas.width = columns; this.heat.canvas.height = rows;
        this.heat.canvas.getContext("2d").putImageData(image, 0, 0);
        this.heat.key = key; this.heat.values = overlay.values;
      }
      const cell = overlay.stride / overlay.scale, [x, y] = this.toScreen(-overlay.pad_x / overlay.scale, -overlay.pad_y / overlay.scale);
      g.globalAlpha = opacity;
      g.imageSmoothingEnabled = model.get("smooth");
      g.drawImage(this.heat.canvas, x, y, overlay.columns * cell * this.s, overlay.rows * cell * this.s);
      g.globalAlpha = 1;
    }
    const p = overlay.peaks, size = 5 * this.ratio;
    for (let i = 0; i < p.length; i += 7) { // cell x, cell y, score, box x, y, w, h
      const passes = p[i + 2] >= floor, cell = overlay.stride / overlay.scale;
      const [x, y] = this.toScreen((p[i] + 0.5) * cell - overlay.pad_x / overlay.scale, (p[i + 1] + 0.5) * cell - overlay.pad_y / overlay.scale);
      const active = model.get("active_peak") === i / 7;
      for (const [colour, width] of [["#000", 3.5], [passes ? COLOURS.yellow : "#fff", active ? 3 : 1.5]]) {
        g.strokeStyle = colour; g.lineWidth = width * this.ratio; g.beginPath();
        if (passes) { g.moveTo(x - size, y); g.lineTo(x + size, y); g.moveTo(x, y - size); g.lineTo(x, y + size); } // a cross passes, a ring does not
        else g.arc(x, y, size * 0.6, 0, 7);
        g.stroke();
      }
      if ((passes || active) && p[i + 5] > 0) {
        const [left, top] = this.toScreen(p[i + 3], p[i + 4]);
        this.stroke(g, left, top, p[i + 5] * this.s, p[i + 6] * this.s, active ? COLOURS.yellow : COLOURS.orange, active ? 4 : 2, passes ? [] : [4, 4]);
        this.label(g, left, top, p[i + 2].toFixed(2), active ? COLOURS.yellow : COLOURS.orange);
      }
    }
  }

  paintTrails(g) {
    const { player, model } = this, length = model.get("trail"), b = player.boxes;
    if (!length || !model.get("layers").includes("tracks")) return;
    const paths = new Map(), floor = model.get("min_score");
    for (let f = Math.max(1, player.shown - length); f <= player.shown; f++)
      for (const i of player.rows(f)) if (b[i + 1] === 0 && b[i + 7] >= floor) {
        if (!paths.has(b[i + 2])) paths.set(b[i + 2], []);
        paths.get(b[i + 2]).push(this.toScreen(b[i + 3] + b[i + 5] / 2, b[i + 4] + b[i + 6]));
      }
    g.lineWidth = 2 * this.ratio; g.setLineDash([]);
    for (const [id, path] of paths) {
      g.strokeStyle = colourOf(model.get("palette"), id);
      g.globalAlpha = 0.8;
      g.beginPath();
      path.forEach(([x, y], k) => k ? g.lineTo(x, y) : g.moveTo(x, y));
      g.stroke();
    }
    g.globalAlpha = 1;
  }

  stroke(g, x, y, w, hgt, colour, width, dash) {
    g.setLineDash([]);
    g.strokeStyle = "rgba(0,0,0,.65)"; g.lineWidth = (width + 2) * this.ratio; g.strokeRect(x, y, w, hgt); // a dark rim keeps every colour readable
    g.setLineDash(dash.map(d => d * this.ratio));
    g.strokeStyle = colour; g.lineWidth = width * this.ratio; g.strokeRect(x, y, w, hgt);
    g.setLineDash([]);
  }

  label(g, x, y, text, colour) {
    const size = 12 * this.ratio;
    g.font = `600 ${size}px system-ui, sans-serif`;
    g.textBaseline = "alphabetic";
    const width = g.measureText(text).width + 6 * this.ratio, top = Math.max(this.oy, y - size - 4 * this.ratio);
    x = clamp(x, this.ox, this.canvas.width - this.ox - width); // people at the edge keep their number
    g.fillStyle = colour; g.fillRect(x, top, width, size + 4 * this.ratio);
    g.fillStyle = inkOn(colour); g.fillText(text, x + 3 * this.ratio, top + size);
  }

  paintBox(g, i) {
    const { player, model } = this, b = player.boxes, layer = LAYERS[b[i + 1]], id = b[i + 2];
    const selected = model.get(layer.id) === id, width = selected ? 4 : i === this.hover ? 3 : layer.double ? 3 : 2;
    const colour = layer.colour || colourOf(model.get("palette"), id);
    const [x, y] = this.toScreen(b[i + 3], b[i + 4]), w = b[i + 5] * this.s, hgt = b[i + 6] * this.s;
    if (layer.hatch) {
      g.save(); g.beginPath(); g.rect(x, y, w, hgt); g.clip();
      g.strokeStyle = colour; g.globalAlpha = 0.6; g.lineWidth = this.ratio;
      g.beginPath();
      for (let d = -hgt; d < w; d += 10 * this.ratio) { g.moveTo(x + d, y + hgt); g.lineTo(x + d + hgt, y); }
      g.stroke(); g.restore();
    }
    if (layer.double) this.stroke(g, x - 5 * this.ratio, y - 5 * this.ratio, w + 10 * this.ratio, hgt + 10 * this.ratio, colour, width, []);
    else this.stroke(g, x, y, w, hgt, colour, width, layer.dash || []);
    if (layer.key === "switches") {
      const what = model.get("switches").find(s => s.frame === player.shown && s.to_id === id);
      this.label(g, x - 5 * this.ratio, y + hgt + 24 * this.ratio, what ? `${what.from_id ?? "?"} → ${what.to_id}` : `→ ${id}`, colour);
    } else if (layer.key === "tracks") this.label(g, x, y, selected || i === this.hover ? `${id} · ${b[i + 7].toFixed(2)}` : `${id}`, colour);
    else if (layer.key === "ground_truth" || layer.key === "misses") { if (w > 22 * this.ratio || selected) this.label(g, x, y + hgt + 16 * this.ratio, `gt ${id}`, colour); }
  }

  /** The lanes of the timeline; the cursor above them is an element of its own, so that a step does not paint them. */
  paintLanes() {
    const { model, player, timeline } = this;
    timeline.classList.toggle("fml-thin", !model.get("lanes")?.byteLength);
    if (!player || timeline.hidden || !timeline.clientWidth) return;
    const ratio = fitCanvas(this.lanes, timeline.clientWidth, timeline.clientHeight), g = this.lanes.getContext("2d");
    const W = this.lanes.width, H = this.lanes.height, colours = themeOf(this.root), counts = floats(model.get("lanes")), length = player.last;
    const at = frame => (frame - 1) / Math.max(1, length - 1) * (W - 3 * ratio) + 1.5 * ratio;
    g.fillStyle = colours.back; g.fillRect(0, 0, W, H);
    const shown = LANES.length * length === counts.length ? LANES : [];
    const marks = shown.length ? H * 0.36 : H, height = (H - marks) / Math.max(1, shown.length);
    shown.forEach((lane, k) => {
      let most = 0;
      for (let f = 0; f < length; f++) most = Math.max(most, counts[k * length + f]);
      g.fillStyle = lane.colour;
      const wide = Math.max(1, at(2) - at(1) + 0.5), bottom = marks + (k + 1) * height - 1;
      for (let f = 0; f < length; f++) { const value = counts[k * length + f]; if (value) { const tall = Math.max(1, (height - 2) * value / Math.max(1, most)); g.fillRect(at(f + 1), bottom - tall, wide, tall); } }
      g.fillStyle = colours.text; g.font = `${9.5 * ratio}px system-ui, sans-serif`; g.textBaseline = "top";
      g.globalAlpha = 0.9; g.fillText(`${lane.label} (most ${most})`, 4 * ratio, marks + k * height + 1); g.globalAlpha = 1;
    });
    for (const s of model.get("switches")) { // a triangle over a line: found without seeing its colour
      const x = at(s.frame), size = 4 * ratio;
      g.fillStyle = colours.text; g.fillRect(x - ratio * 0.75, 0, 1.5 * ratio, marks);
      g.fillStyle = COLOURS.purple; g.strokeStyle = colours.text; g.lineWidth = ratio * 0.75;
      g.beginPath(); g.moveTo(x - size, 0.5); g.lineTo(x + size, 0.5); g.lineTo(x, size * 1.8); g.closePath(); g.fill(); g.stroke();
    }
  }

  controls() {
    const { model, player } = this, rate = model.get("frame_rate"), length = player.last;
    if (document.activeElement !== this.scrubber || +this.scrubber.value !== player.frame) this.scrubber.value = player.frame;
    const seconds = rate ? ` · ${((player.frame - 1) / rate).toFixed(2)} s` : "";
    this.counter.textContent = length ? `${player.frame} / ${length}${seconds}` : "no frames";
    if (this.playButton.dataset.playing !== String(player.playing)) {
      this.playButton.dataset.playing = player.playing;
      const label = player.playing ? "Pause (space)" : "Play (space)";
      this.playButton.replaceChildren(icon(player.playing ? "pause" : "play"));
      this.playButton.setAttribute("aria-label", label); this.playButton.title = label;
    }
    const settings = JSON.stringify([model.get("switches").length, model.get("speed"), model.get("min_score"), model.get("layers"), model.get("available")]);
    if (settings !== this.settings) { // touched only when they change: most paints are of another frame
      this.settings = settings;
      this.previous.hidden = this.next.hidden = !model.get("switches").length;
      this.speed.value = model.get("speed");
      this.score.value = model.get("min_score");
      this.scoreText.textContent = model.get("min_score").toFixed(2);
      const shown = new Set(model.get("layers"));
      for (const input of this.layers.querySelectorAll("input")) input.checked = shown.has(input.dataset.layer);
    }
    const held = model.get("held") || [];
    this.banner.say(player.failed.get(player.frame) || (player.silent && player.asked.size && !player.has(player.frame) ? "The kernel does not answer; this is the last picture it sent." : ""));
    if (!player.playing && player.shown === player.frame) {
      this.scrubber.setAttribute("aria-valuetext", `frame ${player.frame} of ${length}`);
      const boxes = this.visible(player.shown), switches = model.get("switches").filter(s => s.frame === player.shown);
      const text = `Frame ${player.frame} of ${length}, ${boxes.length} boxes${switches.map(s => `; ID switch ${s.from_id ?? ""} to ${s.to_id ?? ""}${s.kind ? `, ${s.kind}` : ""}`).join("")}${held.length ? `; ${held.length} frames in this page` : ""}`;
      if (this.canvas.getAttribute("aria-label") !== text) this.canvas.setAttribute("aria-label", text);
    }
  }

  close() {
    leavePlayer(this.model, this);
    this.scope.close();
    this.root.remove();
  }
}

export default {
  render({ model, el }) {
    const view = new PlayerView(model, el);
    return () => view.close();
  },
};
