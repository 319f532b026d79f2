// The boxes of a sequence, found by frame, and what each layer of them looks like.
import { COLOURS } from "./colours.js";
import { floats } from "./numbers.js";

/** Numbers of a row: frame, layer, id, x, y, w, h, score, tracker, person, class. */
export const COLUMNS = 11;
export const FRAME = 0;
export const LAYER = 1;
export const ID = 2;
export const X = 3;
export const Y = 4;
export const W = 5;
export const H = 6;
export const SCORE = 7;
/** Index of the tracker; -1 for ground truth. */
export const TRACKER = 8;
/** The person of the ground truth that the box belongs to; -1 where that is not known. */
export const PERSON = 9;
/** Index into the trait `classes`; -1 where there are none. */
export const CLASS = 10;

/**
 * @typedef {object} Layer
 * @property {string} key
 * @property {string} label
 * @property {string} one what a single box of it is called
 * @property {"selected_id" | "selected_gt_id"} id the trait that says which is selected
 * @property {string} [colour]
 * @property {number[]} [dash]
 * @property {boolean} [hatch]
 * @property {boolean} [double]
 */

/** @type {Layer[]} */
export const LAYERS = [
  { key: "tracks", label: "tracks", one: "track", id: "selected_id" },
  { key: "ground_truth", label: "ground truth", one: "person", id: "selected_gt_id", colour: "#ffffff", dash: [8, 4] },
  {
    key: "false_positives",
    label: "false positives",
    one: "false positive, track",
    id: "selected_id",
    colour: COLOURS.vermilion,
    hatch: true,
  },
  { key: "misses", label: "misses", one: "missed person", id: "selected_gt_id", colour: COLOURS.sky, dash: [2, 4] },
  {
    key: "switches",
    label: "ID switches",
    one: "ID switch to track",
    id: "selected_id",
    colour: COLOURS.yellow,
    double: true,
  },
];

export class BoxTable {
  /**
   * @param {any} bytes rows sorted by frame
   * @param {number} last number of frames
   */
  constructor(bytes, last) {
    this.values = floats(bytes);
    this.last = last;
    this.starts = new Uint32Array(last + 2);
    const { values, starts } = this;
    for (let i = 0; i < values.length; i += COLUMNS) {
      const frame = values[i];
      if (frame >= 1 && frame <= last) starts[frame + 1]++;
    }
    for (let f = 1; f < starts.length; f++) starts[f] += starts[f - 1];
    // rows of frames that the sequence does not have lie before or behind the others
    let before = 0;
    while (before * COLUMNS < values.length && values[before * COLUMNS] < 1) before++;
    this.before = before;
    /** @type {Map<string, {frame: number, id: number}[]>} */
    this.lives = new Map();
  }

  /**
   * Offsets of the rows of a frame: from, to.
   * @param {number} frame
   * @returns {[number, number]}
   */
  range(frame) {
    if (frame < 1 || frame > this.last) return [0, 0];
    return [(this.before + this.starts[frame]) * COLUMNS, (this.before + this.starts[frame + 1]) * COLUMNS];
  }

  /**
   * The frames in which a tracker has a person or a track, and with which id.
   * @param {number} column PERSON or ID
   * @param {number} value
   * @param {number} tracker
   */
  life(column, value, tracker) {
    const key = `${column}/${value}/${tracker}`;
    let life = this.lives.get(key);
    if (!life) {
      life = [];
      const b = this.values;
      for (let i = 0; i < b.length; i += COLUMNS)
        if (b[i + LAYER] === 0 && b[i + column] === value && b[i + TRACKER] === tracker)
          life.push({ frame: b[i], id: b[i + ID] });
      if (this.lives.size > 64) this.lives.clear();
      this.lives.set(key, life);
    }
    return life;
  }

  /**
   * The first and the last frame of a person of the ground truth.
   * @param {number} person
   * @returns {[number, number] | null}
   */
  extent(person) {
    const b = this.values;
    let first = 0;
    let last = 0;
    for (let i = 0; i < b.length; i += COLUMNS)
      if (b[i + LAYER] === 1 && b[i + ID] === person) {
        first ||= b[i];
        last = b[i];
      }
    return first ? [first, last] : null;
  }
}
