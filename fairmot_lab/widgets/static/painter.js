// Paints a frame with its boxes onto a canvas.
import { CLASS, COLUMNS, FRAME, H, ID, LAYER, LAYERS, PERSON, SCORE, TRACKER, W, X, Y } from "./boxes.js";
import { hatch } from "./canvas.js";
import { classColour, colourOf, trackerColour } from "./colours.js";
import { HeatPainter } from "./heat.js";
import { drawLabels } from "./labels.js";
import { comparedOf } from "./transport.js";
/** @typedef {import("./types").Model} Model */
/** @typedef {import("./types").Viewport} Viewport */
/** @typedef {import("./types").Picture} Picture */
/** @typedef {import("./types").Switch} Switch */
/** @typedef {import("./stage.js").Stage} Stage */
/** @typedef {import("./labels.js").Label} Label */
/** @typedef {import("./transport.js").Transport} Transport */

const CROWD = 40; // boxes above which people whose track is labelled have no label of their own
const FADED = 0.4; // opacity of those who are not followed

export class Painter {
  /**
   * @param {Model} model
   * @param {Transport} transport
   */
  constructor(model, transport) {
    this.model = model;
    this.transport = transport;
    this.heat = new HeatPainter(model);
    /** @type {number | null} */
    this.hover = null; // row under the pointer
    /** @type {Set<number>} */
    this.named = new Set(); // people whose own label is left out
  }

  get compared() {
    return comparedOf(this.model);
  }

  /** The pictures to show side by side. */
  parts() {
    const { model } = this;
    const tracker = model.get("tracker");
    const names = model.get("trackers");
    const heat = Boolean(model.get("overlay_colours")?.byteLength);
    if (heat && model.get("overlay_mode") === "beside")
      return [
        { tracker, heat: false, title: "" },
        { tracker, heat: true, title: "" },
      ];
    if (this.compared >= 0 && model.get("compare_mode") === "split")
      return [tracker, this.compared].map((k) => ({ tracker: k, heat, title: names[k] || "" }));
    return [{ tracker, heat, title: "" }];
  }

  /**
   * Whether a box belongs to what is selected: the person, or the track.
   * @param {number} row
   */
  selected(row) {
    const b = this.transport.boxes.values;
    const layer = LAYERS[b[row + LAYER]];
    const person = this.model.get("selected_gt_id");
    if (person !== null && b[row + PERSON] >= 0) return b[row + PERSON] === person;
    return (
      this.model.get(layer.id) === b[row + ID] &&
      (b[row + TRACKER] < 0 || b[row + TRACKER] === this.model.get("tracker"))
    );
  }

  /** Whether anything is selected, so that others can be faded. */
  get following() {
    const { model } = this;
    return model.get("focus") !== "all" && (model.get("selected_id") !== null || model.get("selected_gt_id") !== null);
  }

  /**
   * Rows of a frame that are on show for a tracker.
   * @param {number} frame
   * @param {number} [tracker]
   */
  visible(frame, tracker = this.model.get("tracker")) {
    const { model } = this;
    const shown = new Set(model.get("layers"));
    const floor = model.get("min_score");
    const only = model.get("focus") === "only" && this.following;
    const overlaid = model.get("compare_mode") === "overlay" ? this.compared : -1;
    const b = this.transport.boxes.values;
    /** @type {string[]} */
    const names = model.get("classes");
    const hidden = new Set(model.get("hidden_classes").map((/** @type {string} */ name) => names.indexOf(name)));
    const rows = [];
    const [from, to] = this.transport.boxes.range(frame);
    for (let i = from; i < to; i += COLUMNS) {
      const layer = LAYERS[b[i + LAYER]];
      if (!shown.has(layer.key) && (layer.key !== "misses" || !this.selected(i))) continue; // never out of sight
      const owner = b[i + TRACKER];
      if (owner >= 0 && owner !== tracker && (owner !== overlaid || layer.key !== "tracks")) continue;
      if (layer.id === "selected_id" && layer.key !== "switches" && b[i + SCORE] < floor) continue;
      if (only && !this.selected(i)) continue;
      if (b[i + CLASS] >= 0 && hidden.has(b[i + CLASS])) continue;
      rows.push(i);
    }
    return rows;
  }

  /**
   * The smallest box under a point, since large boxes hide small ones.
   * @param {number} x
   * @param {number} y
   * @param {number} tracker
   */
  hit(x, y, tracker) {
    const b = this.transport.boxes.values;
    let best = null;
    let least = Infinity;
    for (const i of this.visible(this.transport.shown, tracker)) {
      const area = b[i + W] * b[i + H];
      const inside = x >= b[i + X] && x <= b[i + X] + b[i + W] && y >= b[i + Y] && y <= b[i + Y] + b[i + H];
      if (inside && area <= least) {
        best = i;
        least = area;
      }
    }
    return best;
  }

  /**
   * @param {Stage} stage
   * @param {Picture | undefined} picture
   * @param {number} frame
   */
  paint(stage, picture, frame) {
    const { canvas } = stage;
    const g = canvas.getContext("2d", { alpha: false });
    if (!g) return;
    g.setTransform(1, 0, 0, 1, 0, 0);
    const whole = stage.viewports.length === 1 && stage.viewports[0].x <= 0 && stage.viewports[0].y <= 0;
    if (!picture || !whole) {
      g.fillStyle = "#000";
      g.fillRect(0, 0, canvas.width, canvas.height);
    }
    if (!picture) return;
    for (const viewport of stage.viewports) this.paintViewport(g, stage, viewport, picture, frame);
  }

  /**
   * @param {CanvasRenderingContext2D} g
   * @param {Stage} stage
   * @param {Viewport} viewport
   * @param {Picture} picture
   * @param {number} frame
   */
  paintViewport(g, stage, viewport, picture, frame) {
    /** @type {Label[]} */
    const labels = [];
    const [x, y] = stage.toScreen(viewport, 0, 0);
    g.save();
    g.beginPath();
    g.rect(viewport.x, viewport.y, viewport.width, viewport.height);
    g.clip();
    g.imageSmoothingEnabled = stage.zoom.scale < 6;
    g.drawImage(picture.bitmap, x, y, stage.size.width * stage.scale, stage.size.height * stage.scale);
    const overlay = viewport.heat ? picture.overlay : null;
    if (overlay) {
      this.heat.paint(g, stage, viewport, overlay);
      this.heat.peaks(g, stage, viewport, overlay, labels);
    }
    this.trails(g, stage, viewport, frame);
    const rows = this.visible(frame, viewport.tracker);
    this.named = this.namedByTracks(rows);
    for (const row of rows) this.box(g, stage, viewport, row, labels);
    drawLabels(g, labels, viewport, stage.ratio);
    if (overlay) {
      const b = this.transport.boxes.values;
      const middle = viewport.x + viewport.width / 2;
      const right = (/** @type {number} */ i) => stage.toScreen(viewport, b[i + X] + b[i + W] / 2, 0)[0] > middle;
      const left = this.following && rows.some((i) => this.selected(i) && right(i)); // beside who is looked at
      this.heat.bar(g, stage, viewport, overlay, left);
    }
    if (viewport.title) this.title(g, stage, viewport);
    g.restore();
  }

  /**
   * In a crowd the people whose track is labelled go without a label of their own: two each would hide them all.
   * @param {number[]} rows
   */
  namedByTracks(rows) {
    const b = this.transport.boxes.values;
    const tracks = rows.length > CROWD ? rows.filter((i) => b[i + LAYER] === 0) : [];
    return new Set(tracks.map((i) => b[i + PERSON]));
  }

  /**
   * Which tracker a picture shows, where there are two.
   * @param {CanvasRenderingContext2D} g
   * @param {Stage} stage
   * @param {Viewport} viewport
   */
  title(g, stage, viewport) {
    const { ratio } = stage;
    g.font = `600 ${13 * ratio}px system-ui, sans-serif`;
    g.textAlign = "left";
    g.textBaseline = "middle";
    const width = g.measureText(viewport.title).width;
    g.fillStyle = "rgba(10, 12, 16, .78)";
    g.fillRect(viewport.x + 8 * ratio, viewport.y + 8 * ratio, width + 30 * ratio, 22 * ratio);
    g.fillStyle = trackerColour(viewport.tracker);
    g.fillRect(viewport.x + 14 * ratio, viewport.y + 14 * ratio, 10 * ratio, 10 * ratio);
    g.fillStyle = "#fff";
    g.fillText(viewport.title, viewport.x + 30 * ratio, viewport.y + 19 * ratio);
  }

  /**
   * The paths of the feet over the last frames.
   * @param {CanvasRenderingContext2D} g
   * @param {Stage} stage
   * @param {Viewport} viewport
   * @param {number} frame
   */
  trails(g, stage, viewport, frame) {
    const { model, transport } = this;
    const length = model.get("trail");
    const b = transport.boxes.values;
    if (!length || !model.get("layers").includes("tracks")) return;
    /** @type {Map<number, {path: Path2D, last: number, selected: boolean}>} */
    const trails = new Map();
    const floor = model.get("min_score");
    const following = this.following;
    for (let f = Math.max(1, frame - length); f <= frame; f++) {
      const [from, to] = transport.boxes.range(f);
      for (let i = from; i < to; i += COLUMNS) {
        if (b[i + LAYER] !== 0 || b[i + TRACKER] !== viewport.tracker || b[i + SCORE] < floor) continue;
        const [x, y] = stage.toScreen(viewport, b[i + X] + b[i + W] / 2, b[i + Y] + b[i + H]);
        const trail = trails.get(b[i + ID]);
        if (trail) {
          if (f - trail.last <= 5) trail.path.lineTo(x, y);
          else trail.path.moveTo(x, y); // a gap is not bridged
          trail.last = f;
          trail.selected ||= this.selected(i);
        } else {
          const path = new Path2D();
          path.moveTo(x, y);
          trails.set(b[i + ID], { path, last: f, selected: this.selected(i) });
        }
      }
    }
    g.setLineDash([]);
    for (const [id, trail] of trails) {
      if (following && !trail.selected) continue;
      g.globalAlpha = 0.85;
      g.lineWidth = (trail.selected ? 3 : 2) * stage.ratio;
      g.strokeStyle = colourOf(model.get("palette"), id);
      g.stroke(trail.path);
    }
    g.globalAlpha = 1;
  }

  /**
   * A rectangle with a dark rim, which keeps every colour readable.
   * @param {CanvasRenderingContext2D} g
   * @param {number} ratio
   * @param {{x: number, y: number, w: number, h: number}} box
   * @param {string} colour
   * @param {number} width
   * @param {number[]} dash
   */
  outline(g, ratio, box, colour, width, dash) {
    g.setLineDash([]);
    g.strokeStyle = "rgba(0,0,0,.65)";
    g.lineWidth = (width + 2) * ratio;
    g.strokeRect(box.x, box.y, box.w, box.h);
    if (dash.length) g.setLineDash(dash.map((d) => d * ratio));
    g.strokeStyle = colour;
    g.lineWidth = width * ratio;
    g.strokeRect(box.x, box.y, box.w, box.h);
    if (dash.length) g.setLineDash([]);
  }

  /**
   * The colour of a box: of its layer, of its class, of its tracker where two are in one picture, else of its id.
   * @param {number} row
   */
  colour(row) {
    const { model } = this;
    const b = this.transport.boxes.values;
    const layer = LAYERS[b[row + LAYER]];
    const byClass = model.get("colour_by") === "class" && b[row + CLASS] >= 0;
    if (byClass && (layer.key === "tracks" || layer.key === "ground_truth")) return classColour(b[row + CLASS]);
    if (layer.colour) return layer.colour;
    if (model.get("compare_mode") === "overlay" && this.compared >= 0) return trackerColour(b[row + TRACKER]);
    return colourOf(model.get("palette"), b[row + ID]);
  }

  /**
   * @param {CanvasRenderingContext2D} g
   * @param {Stage} stage
   * @param {Viewport} viewport
   * @param {number} row
   * @param {Label[]} labels
   */
  box(g, stage, viewport, row, labels) {
    const { model, transport } = this;
    const { ratio } = stage;
    const b = transport.boxes.values;
    const layer = LAYERS[b[row + LAYER]];
    const id = b[row + ID];
    const other = b[row + TRACKER] >= 0 && b[row + TRACKER] !== viewport.tracker;
    const selected = this.selected(row);
    const hovered = row === this.hover;
    const faded = this.following && !selected && !hovered;
    const width = selected ? 4 : hovered || layer.double ? 3 : 2;
    const colour = this.colour(row);
    const [x, y] = stage.toScreen(viewport, b[row + X], b[row + Y]);
    const box = { x, y, w: b[row + W] * stage.scale, h: b[row + H] * stage.scale };
    if (faded) {
      // a thin line without a rim
      g.globalAlpha = FADED;
      g.strokeStyle = colour;
      g.lineWidth = ratio;
      g.strokeRect(box.x, box.y, box.w, box.h);
      g.globalAlpha = 1;
      return;
    }
    if (layer.hatch) {
      g.globalAlpha = 0.6;
      g.strokeStyle = colour;
      g.lineWidth = ratio;
      hatch(g, box.x, box.y, box.w, box.h, 10 * ratio);
      g.globalAlpha = 1;
    }
    const wide = layer.double
      ? { x: x - 5 * ratio, y: y - 5 * ratio, w: box.w + 10 * ratio, h: box.h + 10 * ratio }
      : box;
    this.outline(g, ratio, wide, colour, width, other ? [9, 5] : layer.dash || []);
    const must = selected || hovered;
    const kind = b[row + CLASS] >= 0 ? ` ${model.get("classes")[b[row + CLASS]]}` : "";
    const add = (/** @type {string} */ text, /** @type {boolean} */ below, /** @type {number} */ rank) =>
      labels.push({ ...wide, text, colour, below, rank: must ? -1 : rank, must });
    if (layer.key === "switches") {
      /** @type {Switch | undefined} */
      const mark = model
        .get("switches")
        .find(
          (/** @type {Switch} */ s) => s.frame === b[row + FRAME] && s.to_id === id && s.tracker === b[row + TRACKER],
        );
      add(mark ? `${mark.from_id ?? "?"} → ${mark.to_id}` : `→ ${id}`, true, 0);
    } else if (layer.key === "tracks")
      add(must ? `${id}${kind} · ${b[row + SCORE].toFixed(2)}` : `${id}${kind}`, other, other ? 3 : 2);
    else if (layer.key === "misses" || (layer.key === "ground_truth" && (must || !this.named.has(id))))
      add(`gt ${id}`, true, 4);
  }

  /**
   * What lies under a point, in words.
   * @param {number} x
   * @param {number} y
   * @param {number | null} row
   */
  words(x, y, row) {
    const overlay = this.transport.store.pictures.get(this.transport.shown)?.overlay;
    const words = [`x ${x.toFixed(1)}, y ${y.toFixed(1)} px`];
    if (overlay && overlay.columns) {
      const column = Math.floor((x * overlay.scale + overlay.pad_x) / overlay.stride);
      const line = Math.floor((y * overlay.scale + overlay.pad_y) / overlay.stride);
      if (column >= 0 && line >= 0 && column < overlay.columns && line < overlay.rows)
        words.push(
          `${overlay.label || "heatmap"} cell ${column}, ${line}: ${overlay.values[line * overlay.columns + column].toFixed(4)}`,
        );
    }
    if (row !== null) words.push(this.boxWords(row));
    return words.join("  ·  ");
  }

  /**
   * A box in words.
   * @param {number} row
   */
  boxWords(row) {
    const b = this.transport.boxes.values;
    const layer = LAYERS[b[row + LAYER]];
    const names = this.model.get("trackers");
    const words = [`${layer.one} ${b[row + ID]}`];
    if (layer.id === "selected_id") {
      if (this.compared >= 0) words[0] = `${names[b[row + TRACKER]]}: ${words[0]}`;
      if (b[row + PERSON] >= 0) words.push(`person ${b[row + PERSON]}`);
      words.push(`score ${b[row + SCORE].toFixed(2)}`);
    }
    if (b[row + CLASS] >= 0) words.push(this.model.get("classes")[b[row + CLASS]]);
    words.push(`${b[row + W].toFixed(0)} × ${b[row + H].toFixed(0)} px`);
    return words.join(", ");
  }
}
