// Which frame is on show, and playing. All views of a model share one transport, which ends with the last of them.
import { BoxTable } from "./boxes.js";
import { FrameStore } from "./frames.js";
import { clamp } from "./numbers.js";
import { makeScope, setTraits } from "./scope.js";
/** @typedef {import("./types").Model} Model */
/** @typedef {{paint: () => void}} Painted */

/**
 * `frame` is the frame asked for; `shown` the one whose picture is there. The trait `frame` follows a little later: were
 * it set at every step, the kernel's echo of an older step would move the view back.
 */
export class Transport {
  /** @param {Model} model */
  constructor(model) {
    this.model = model;
    /** @type {Set<Painted>} */
    this.views = new Set();
    this.frame = model.get("frame");
    this.shown = 0;
    this.direction = 1;
    this.playing = false;
    this.dead = false;
    /** @type {any} */
    this.telling = null;
    this.told = 0;
    this.animation = 0;
    this.base = { time: 0, frame: 1 };
    this.counts = { hits: 0, misses: 0, painted: 0, dropped: 0 };
    this.following = this.following.bind(this);
    this.store = new FrameStore(
      model,
      this,
      () => this.show(),
      () => this.refresh(),
    );
    this.boxes = new BoxTable(null, 0);
    this.scope = makeScope(model);
    this.scope.model("msg:custom", (message, buffers) => this.store.receive(message, buffers));
    this.scope.model("change:frame", () => {
      if (model.get("frame") !== this.frame) this.go(model.get("frame"), false);
    });
    this.scope.model("change:boxes", () => this.index());
    this.scope.model("change:generation change:length", () => this.forget());
    this.scope.model("change:playing", () => this.play(model.get("playing"), false));
    this.index();
    this.store.poster();
    if (model.get("playing")) this.play(true, false);
  }

  get last() {
    return this.model.get("length");
  }

  /** @returns {number[]} the frames that a page without a kernel holds; empty: all */
  get held() {
    return this.model.get("held") || [];
  }

  /** @returns {[number, number] | null} the part that is played over and over */
  get range() {
    const range = this.model.get("range") || [];
    return range.length === 2 ? [range[0], range[1]] : null;
  }

  index() {
    this.boxes = new BoxTable(this.model.get("boxes"), this.last);
    this.refresh();
  }

  forget() {
    this.store.forget();
    this.frame = clamp(this.frame, 1, Math.max(1, this.last));
    this.index();
    this.store.request();
  }

  /**
   * The frames that come next the way we are going.
   * @param {number} count
   */
  following(count) {
    const held = this.held;
    if (held.length)
      return this.direction > 0
        ? held.filter((f) => f > this.frame).slice(0, count)
        : held
            .filter((f) => f < this.frame)
            .slice(-count)
            .reverse();
    // strides are cut at the ends: the last frame is read however they fall
    const step = this.direction * this.stride();
    const next = Array.from({ length: count }, (_, i) => clamp(this.frame + (i + 1) * step, 1, this.last));
    return [...new Set(next)].filter((f) => f !== this.frame);
  }

  /** Faster than real time not every frame is shown, so not every frame is fetched. */
  stride() {
    return this.playing ? Math.max(1, Math.round((this.model.get("speed") * this.model.get("frame_rate")) / 30)) : 1;
  }

  /** Show the frame asked for, or the nearest on the way to it. Boxes are always those of the picture. */
  show() {
    const { store } = this;
    let best = store.ready(this.frame) ? this.frame : 0;
    if (!best)
      for (const f of store.pictures.keys())
        if (!best || Math.abs(f - this.frame) < Math.abs(best - this.frame)) best = f;
    const picture = store.pictures.get(best);
    if (best && (best !== this.shown || picture !== this.painted)) this.counts.painted++;
    else if (this.told === this.frame) return; // a frame that was decoded ahead changes nothing on the screen
    if (best) {
      this.shown = best;
      this.painted = picture;
    }
    this.told = this.frame;
    this.refresh();
  }

  refresh() {
    for (const view of this.views) view.paint();
  }

  /**
   * The nearest frame that a page without a kernel holds.
   * @param {number} frame
   * @param {number} direction
   */
  snap(frame, direction) {
    const held = this.held;
    if (!held.length) return frame;
    const before = held.filter((f) => f <= frame).pop() ?? held[0];
    const after = held.find((f) => f >= frame) ?? held[held.length - 1];
    return direction > 0 ? after : direction < 0 ? before : frame - before <= after - frame ? before : after;
  }

  /**
   * Go to a frame.
   * @param {number} frame
   * @param {boolean} [tell] the kernel, too
   * @param {number} [direction] where to look when a page does not hold the frame
   */
  go(frame, tell = true, direction = 0) {
    if (!this.last || !Number.isFinite(frame)) return;
    frame = this.snap(clamp(Math.round(frame), 1, this.last), direction);
    if (frame === this.frame && frame === this.shown) return;
    if (frame !== this.frame) this.direction = frame < this.frame ? -1 : 1;
    this.frame = frame;
    if (this.store.ready(frame)) this.counts.hits++;
    else this.counts.misses++;
    this.show();
    this.store.request();
    if (tell) this.tell();
  }

  /** @param {number} by */
  step(by) {
    this.pause();
    this.go(this.frame + by, true, Math.sign(by));
  }

  /** The kernel hears of the first step at once and of later ones at most ten times a second. */
  tell() {
    if (this.telling) return;
    const send = () => {
      if (this.dead || this.model.get("frame") === this.frame) {
        this.telling = null;
        return;
      }
      setTraits(this.model, { frame: this.frame });
      this.telling = setTimeout(send, 100);
    };
    send();
  }

  /**
   * Go to the next of some frames in a direction; undefined where there is none.
   * @param {number[]} frames
   * @param {number} direction
   */
  jump(frames, direction) {
    const sorted = [...frames].sort((a, b) => a - b);
    const target = direction > 0 ? sorted.find((f) => f > this.frame) : sorted.reverse().find((f) => f < this.frame);
    if (target !== undefined) {
      this.pause();
      this.go(target);
    }
    return target;
  }

  /** The ends of what is played. */
  ends() {
    const held = this.held;
    const [first, last] = this.range || [1, this.last];
    if (!held.length) return [first, last];
    const inside = held.filter((f) => f >= first && f <= last);
    return inside.length ? [inside[0], inside[inside.length - 1]] : [held[0], held[held.length - 1]];
  }

  /**
   * @param {boolean} on
   * @param {boolean} [tell]
   */
  play(on, tell = true) {
    if (on === this.playing || (on && this.last < 2)) return;
    this.playing = on;
    this.direction = 1;
    cancelAnimationFrame(this.animation);
    if (on) {
      const [first, last] = this.ends();
      if (this.frame >= last || this.frame < first) this.go(first);
      this.base = { time: performance.now(), frame: this.frame };
      this.animation = requestAnimationFrame((now) => this.tick(now));
      this.store.request();
    }
    if (tell) setTraits(this.model, { playing: on });
    this.refresh();
  }

  pause() {
    if (this.playing) this.play(false);
  }

  /** The speed has changed: count from here. */
  rebase() {
    this.base = { time: performance.now(), frame: this.frame };
  }

  /**
   * Show the newest frame that is due and here: late frames are dropped, and a stall moves the clock, not the picture.
   * @param {number} now
   */
  tick(now) {
    if (!this.playing || this.dead) return;
    const rate = this.model.get("frame_rate") * this.model.get("speed");
    const held = this.held;
    const [first, last] = this.ends();
    let due = this.base.frame + Math.floor(((now - this.base.time) / 1000) * rate);
    if (this.range && this.frame >= last) {
      // the last frame is shown as long as any other before the range begins anew
      if (due > this.frame) {
        this.go(first);
        this.rebase();
      }
      this.animation = requestAnimationFrame((time) => this.tick(time));
      return;
    }
    if (held.length) due = held.filter((f) => f <= due).pop() ?? this.frame;
    if (due > this.frame) {
      let frame = Math.min(due, last);
      while (frame > this.frame && !this.store.ready(frame)) frame--;
      if (frame > this.frame) {
        this.counts.dropped += frame - this.frame - 1;
        this.go(frame);
      } else if (held.length || due >= Math.min(this.frame + this.stride(), last)) {
        // frames between strides were not asked for
        this.direction = 1; // the kernel may have set an earlier frame meanwhile: read ahead, not back
        this.store.request();
        this.base = { time: now, frame: this.frame };
      }
      if (this.frame >= last && !this.range) return this.pause();
    }
    this.animation = requestAnimationFrame((time) => this.tick(time));
  }

  close() {
    this.dead = true;
    cancelAnimationFrame(this.animation);
    clearTimeout(this.telling);
    this.scope.close();
    this.store.close();
  }
}

/**
 * Index of the tracker that is compared with the one on show; -1 for none.
 * @param {Model} model
 * @returns {number}
 */
export function comparedOf(model) {
  const other = model.get("compared");
  return model.get("compare_mode") === "off" || other === model.get("tracker") ? -1 : other;
}

/** @type {WeakMap<Model, Transport>} */
const transports = new WeakMap();

/**
 * The transport of a model, made for its first view.
 * @param {Model} model
 * @param {Painted} view
 */
export function joinTransport(model, view) {
  let transport = transports.get(model);
  if (!transport) {
    transport = new Transport(model);
    transports.set(model, transport);
  }
  transport.views.add(view);
  return transport;
}

/**
 * @param {Model} model
 * @param {Painted} view
 */
export function leaveTransport(model, view) {
  const transport = transports.get(model);
  if (!transport) return;
  transport.views.delete(view);
  if (transport.views.size) return;
  transport.close();
  transports.delete(model);
}
