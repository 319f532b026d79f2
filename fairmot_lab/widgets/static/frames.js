// The frames of a sequence: fetched from the kernel, kept compressed, and decoded ahead of their showing.
import { bitmapOf, floats, octets } from "./numbers.js";
/** @typedef {import("./types").Model} Model */
/** @typedef {import("./types").Picture} Picture */
/** @typedef {import("./types").Overlay} Overlay */

const MAX_IN_FLIGHT = 8; // frames on their way at any time, so that a fast drag leaves no queue behind in the kernel
const BATCH = 4;
const DECODE_AHEAD = 6;
const DECODED = 10; // bitmaps kept: 8 MB each at 1080p
const PATIENCE = 3000; // milliseconds until a kernel that does not answer is reported

/**
 * Where the transport is: the store fetches what it will need next.
 * @typedef {object} Position
 * @property {number} frame asked for
 * @property {number} shown
 * @property {number} direction 1 or -1
 * @property {boolean} playing
 * @property {number} last
 * @property {(count: number) => number[]} following the frames that come next
 */

export class FrameStore {
  /**
   * @param {Model} model
   * @param {Position} position
   * @param {() => void} arrived a frame was decoded
   * @param {() => void} changed something else is to be shown: an error, or silence
   */
  constructor(model, position, arrived, changed) {
    this.model = model;
    this.position = position;
    this.arrived = arrived;
    this.changed = changed;
    /** @type {Map<number, {blob: Blob, bytes: number, overlay: Overlay | null}>} */
    this.compressed = new Map();
    this.bytes = 0;
    /** @type {Map<number, Picture>} */
    this.pictures = new Map();
    /** @type {Set<number>} */
    this.asked = new Set();
    /** @type {Set<number>} */
    this.decoding = new Set();
    /** @type {Map<number, string>} */
    this.failed = new Map(); // what the kernel said
    this.silent = false;
    this.dead = false;
    /** @type {any} */
    this.watchdog = null;
    this.requested = 0;
    /** @type {Map<number, (bitmap: ImageBitmap | null) => void>} */
    this.cropping = new Map();
    this.tickets = 0;
  }

  /**
   * The picture saved with the notebook: what there is to see until, or without, a kernel that answers.
   */
  async poster() {
    const frame = this.position.frame;
    const bitmap = await bitmapOf(this.model.get("poster"));
    if (!bitmap) return; // the canvas stays empty until the first frame
    if (this.dead || this.pictures.size) return bitmap.close();
    this.keep(frame, { bitmap, overlay: null, poster: true });
    this.arrived();
  }

  /** The pictures are of something else now: keep only the one on show, until its successor is here. */
  forget() {
    this.compressed.clear();
    this.bytes = 0;
    this.asked.clear();
    this.failed.clear();
    for (const [frame, picture] of this.pictures) {
      if (frame === this.position.shown) picture.poster = true;
      else {
        picture.bitmap.close();
        this.pictures.delete(frame);
      }
    }
  }

  /**
   * Take in a message of the kernel.
   * @param {any} message
   * @param {any[]} buffers
   */
  receive(message, buffers) {
    if (message.kind === "crop") return this.takeCrop(message.ticket, buffers[0]);
    if (message.generation !== undefined && message.generation !== this.model.get("generation")) return;
    if (message.kind === "failed") {
      this.asked.delete(message.frame);
      this.failed.set(message.frame, message.text);
      this.changed();
      this.request();
    } else if (message.kind === "frame") {
      this.asked.delete(message.frame);
      this.failed.delete(message.frame);
      const jpeg = octets(buffers[0]);
      const overlay = message.overlay
        ? { ...message.overlay, values: floats(buffers[1]), peaks: floats(buffers[2]) }
        : null;
      const bytes = jpeg.byteLength + (overlay ? overlay.values.byteLength + overlay.peaks.byteLength : 0);
      if (!this.compressed.has(message.frame)) {
        this.compressed.set(message.frame, { blob: new Blob([jpeg], { type: "image/jpeg" }), bytes, overlay });
        this.bytes += bytes;
      }
      this.trim();
      this.request();
    }
  }

  /** @param {number} frame */
  distance(frame) {
    const d = (frame - this.position.frame) * this.position.direction;
    return d >= 0 ? d : -2 * d;
  }

  trim() {
    const budget = this.model.get("cache_mb") * 1e6;
    if (this.bytes <= budget) return;
    for (const frame of [...this.compressed.keys()].sort((a, b) => this.distance(b) - this.distance(a))) {
      if (this.bytes <= budget || frame === this.position.frame) break;
      this.bytes -= this.compressed.get(frame)?.bytes ?? 0;
      this.compressed.delete(frame);
    }
  }

  /**
   * @param {number} frame
   * @param {Picture} picture
   */
  keep(frame, picture) {
    this.pictures.get(frame)?.bitmap.close();
    this.pictures.set(frame, picture);
    if (this.pictures.size <= DECODED) return;
    const far = [...this.pictures.keys()]
      .filter((f) => f !== this.position.shown)
      .sort((a, b) => this.distance(b) - this.distance(a))[0];
    this.pictures.get(far)?.bitmap.close();
    this.pictures.delete(far);
  }

  /**
   * Whether a frame is compressed here.
   * @param {number} frame
   */
  has(frame) {
    return this.compressed.has(frame);
  }

  /**
   * Whether a frame is decoded and can be shown at once.
   * @param {number} frame
   */
  ready(frame) {
    const picture = this.pictures.get(frame);
    return Boolean(picture) && !picture?.poster;
  }

  /** Ask for the frame on show first; read ahead only while we keep up. */
  request() {
    const { frame, playing, last, following } = this.position;
    if (this.dead || !last) return;
    const missing = !this.ready(frame) && !this.has(frame);
    const limit = missing && !playing ? 2 : MAX_IN_FLIGHT;
    /** @type {number[]} */
    const wanted = [];
    const want = (/** @type {number} */ f) => {
      if (f < 1 || f > last || this.has(f) || this.asked.has(f) || this.failed.has(f)) return;
      if (this.asked.size + wanted.length < limit) wanted.push(f);
    };
    if (missing) want(frame);
    if (!missing || playing) for (const f of following(this.model.get("prefetch"))) if (wanted.length < BATCH) want(f);
    if (wanted.length) {
      for (const f of wanted) this.asked.add(f);
      this.requested += wanted.length;
      this.model.send({ kind: "need", frames: wanted, generation: this.model.get("generation") });
      this.watch();
    }
    this.decodeNear();
  }

  /** Say so when the kernel does not answer. */
  watch() {
    clearTimeout(this.watchdog);
    this.silent = false;
    this.watchdog = setTimeout(() => {
      this.silent = this.asked.size > 0;
      this.changed();
    }, PATIENCE);
  }

  decodeNear() {
    const { frame, shown, following } = this.position;
    if (this.has(frame)) {
      for (const f of [frame, ...following(DECODE_AHEAD)]) if (this.decoding.size < 2) this.decode(f);
    } else if (!this.ready(frame) && !this.decoding.size) {
      // on the way there: show the nearest frame that is here
      let best = 0;
      for (const f of this.compressed.keys()) if (Math.abs(f - frame) < Math.abs((best || shown) - frame)) best = f;
      if (best) this.decode(best);
    }
  }

  /** @param {number} frame */
  async decode(frame) {
    const stored = this.compressed.get(frame);
    if (!stored || this.ready(frame) || this.decoding.has(frame)) return;
    this.decoding.add(frame);
    try {
      const bitmap = await createImageBitmap(stored.blob);
      if (this.dead || this.compressed.get(frame) !== stored) return bitmap.close();
      this.keep(frame, { bitmap, overlay: stored.overlay });
    } catch (error) {
      this.failed.set(
        frame,
        `The picture of frame ${frame} cannot be decoded (${/** @type {Error} */ (error).message}).`,
      );
      this.compressed.delete(frame);
      this.bytes -= stored.bytes;
      this.changed();
    } finally {
      this.decoding.delete(frame);
    }
    if (this.dead) return;
    this.arrived();
    this.request();
  }

  /**
   * The picture of a box, cut out by the kernel; null where its frame is not to be had.
   * @param {number} frame
   * @param {number[]} box x, y, w, h
   * @returns {Promise<ImageBitmap | null>}
   */
  crop(frame, box) {
    const ticket = ++this.tickets;
    return new Promise((done) => {
      this.cropping.set(ticket, done);
      this.model.send({ kind: "crop", ticket, frame, box });
    });
  }

  /**
   * @param {number} ticket
   * @param {any} buffer
   */
  async takeCrop(ticket, buffer) {
    const done = this.cropping.get(ticket);
    this.cropping.delete(ticket);
    done?.(await bitmapOf(buffer));
  }

  close() {
    this.dead = true;
    clearTimeout(this.watchdog);
    for (const picture of this.pictures.values()) picture.bitmap.close();
    this.pictures.clear();
    this.compressed.clear();
    this.cropping.clear();
  }
}
