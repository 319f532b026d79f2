// Follow one person: a list that can be searched, and the life of the one who is selected.
import { caption, errorBanner, frameOf, keepKeys, noteOf } from "./chrome.js";
import { colourOf } from "./colours.js";
import { h } from "./dom.js";
import { counted, octets } from "./numbers.js";
import { oncePerFrame, setTraits, widgetOf } from "./scope.js";
/** @typedef {import("./types").Model} Model */
/** @typedef {import("./types").Scope} Scope */
/** @typedef {{id: number, first: number, last: number, frames: number, share: number | null, breaks: number, note: string}} Person */

/** @type {Record<string, string>} */
const HELP = {
  score: "Score of the person's detection",
  cost: "Cost of this detection for the track that had the person before",
  gate: "Squared Mahalanobis distance of this detection from where that track expects it",
  IoU: "Overlap of the track's box with the person",
  "taken by": "The track that has the person, or why nobody has",
};
const AROUND = 3; // frames of decisions shown before and after the one on show

/**
 * The people whom a search means: "12" is person 12, "switch" those with ID switches, ">100" those seen in more frames.
 * @param {Person[]} rows
 * @param {string} typed
 */
function search(rows, typed) {
  const text = typed.trim().toLowerCase();
  if (!text) return rows;
  const number = text.match(/^(?:person|track|id)?\s*(\d+)$/);
  if (number) return rows.filter((row) => row.id === Number(number[1]));
  const longer = text.match(/^([<>])\s*(\d+)$/);
  if (longer) return rows.filter((row) => (longer[1] === ">" ? row.frames > +longer[2] : row.frames < +longer[2]));
  if (/^(switch|swap)/.test(text)) return rows.filter((row) => row.breaks > 0);
  return rows.filter((row) => row.note.toLowerCase().includes(text));
}

class PeopleView {
  /**
   * @param {Model} model
   * @param {HTMLElement} el
   * @param {Scope} scope
   */
  constructor(model, el, scope) {
    this.model = model;
    const root = frameOf(el, scope, "people", "People");
    const find = "id, switch, > 100";
    this.search = h("input", { type: "search", placeholder: find, title: find, "aria-label": "Find a person" });
    this.count = h("div", { class: "fml-dim fml-small", role: "status", "aria-live": "polite" });
    this.list = h("div", { class: "fml-list", role: "listbox", "aria-label": "People", tabindex: 0 });
    this.title = h("div", { class: "fml-caption" });
    this.strip = h("div", { class: "fml-strip", role: "img" });
    this.ids = h("div", { class: "fml-ids", "aria-hidden": "true" });
    this.why = h("div", { class: "fml-reason", role: "status", "aria-live": "polite" });
    this.table = h("table", { class: "fml-table fml-decisions" });
    this.actions = h("div", { class: "fml-bar" });
    this.detail = h(
      "div",
      { class: "fml-detail" },
      this.title,
      h("div", {}, this.strip, this.ids),
      this.why,
      h("div", { class: "fml-scroll" }, this.table),
      this.actions,
    );
    const side = h("div", { class: "fml-side" }, this.search, this.count, this.list);
    root.append(
      errorBanner(model, scope, root).element,
      h("div", { class: "fml-two" }, side, this.detail),
      noteOf(model, scope),
    );
    const drawLifeSoon = oncePerFrame(scope, () => this.drawLife());
    scope.model("change:rows", () => this.drawList());
    scope.model("change:selected", () => this.mark());
    scope.model("change:selected change:life change:strip change:kind change:lives", drawLifeSoon);
    scope.model("change:decisions change:frame", () => this.drawFrame());
    scope.dom(this.search, "input", () => this.drawList());
    scope.dom(this.search, "keydown", (event) => {
      const first = event.key === "Enter" && this.list.firstElementChild;
      if (first) this.pick(Number(first.dataset.id));
    });
    scope.dom(this.list, "keydown", (event) => this.key(event));
    keepKeys(scope, root);
    this.drawList();
    this.drawLife();
  }

  // ---- the list

  drawList() {
    const { model } = this;
    /** @type {Person[]} */
    const all = model.get("rows");
    const rows = search(all, this.search.value);
    const longest = Math.max(1, ...all.map((row) => row.last));
    const one = model.get("kind");
    this.count.textContent =
      rows.length === all.length
        ? counted(all.length, one, one === "person" ? "people" : undefined)
        : `${rows.length} of ${all.length}`;
    this.list.replaceChildren(...rows.map((row) => this.item(row, longest)));
    this.mark();
  }

  /**
   * @param {Person} row
   * @param {number} longest
   */
  item(row, longest) {
    const share = row.share === null ? "" : `, tracked ${(100 * row.share).toFixed(0)} %`;
    const breaks =
      this.model.get("kind") === "person"
        ? counted(row.breaks, "ID switch", "ID switches")
        : counted(row.breaks, "gap");
    const words = `${counted(row.frames, "frame")}${share}, ${breaks}${row.note ? `, ${row.note}` : ""}`;
    const left = (100 * (row.first - 1)) / longest;
    const width = Math.max(1, (100 * (row.last - row.first + 1)) / longest);
    const bar = h("i", { style: `left: ${left}%; width: ${width}%; opacity: ${0.35 + 0.65 * (row.share ?? 1)}` });
    return h(
      "div",
      { class: "fml-person", role: "option", "data-id": row.id, title: words, onclick: () => this.pick(row.id) },
      h("b", {}, String(row.id)),
      h("span", { class: "fml-dim" }, `${row.first}–${row.last}`),
      h("span", { class: row.breaks ? "fml-badge" : "fml-dim" }, String(row.breaks)),
      h("span", { class: "fml-life" }, bar),
    );
  }

  /** @param {number} id */
  pick(id) {
    setTraits(this.model, { selected: id });
  }

  mark() {
    const selected = this.model.get("selected");
    for (const item of this.list.children) {
      const on = Number(item.dataset.id) === selected;
      item.setAttribute("aria-selected", String(on));
      if (!on) continue;
      const { list } = this;
      if (item.offsetTop < list.scrollTop) list.scrollTop = item.offsetTop - 4;
      else if (item.offsetTop + item.offsetHeight > list.scrollTop + list.clientHeight)
        list.scrollTop = item.offsetTop + item.offsetHeight - list.clientHeight + 4;
    }
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const items = [...this.list.children].map((item) => Number(item.dataset.id));
    const at = items.indexOf(this.model.get("selected"));
    /** @type {Record<string, number>} */
    const moves = { ArrowDown: at + 1, ArrowUp: Math.max(0, at - 1), Home: 0, End: items.length - 1 };
    const to = moves[event.key];
    if (to === undefined || items[to] === undefined) return;
    event.preventDefault();
    this.pick(items[to]);
  }

  // ---- the life

  /** What the kernel said of the person, or what a page without one holds. */
  life() {
    const { model } = this;
    const selected = model.get("selected");
    const held = model.get("lives")[selected];
    const life = held || model.get("life");
    return life && life.id === selected ? life : null;
  }

  drawLife() {
    const { model } = this;
    const life = this.life();
    const selected = model.get("selected");
    caption(this.title, life ? life.title : selected === null ? "Pick somebody in the list, or in the picture." : "");
    for (const part of [this.strip, this.ids, this.table, this.actions]) part.hidden = !life;
    this.drawStrip(life);
    this.actions.replaceChildren(...(life ? this.buttons(life) : []));
    this.drawFrame();
  }

  /** @param {any} life */
  drawStrip(life) {
    const { model } = this;
    if (!life) return;
    const palette = model.get("palette");
    /** @type {any[]} */
    const crops = life.strip || model.get("strip");
    /** @type {{frame: number, id: number | null}[]} */
    const places = life.places;
    this.strip.setAttribute("aria-label", `${life.title}: ${counted(places.length, "picture")} over the life`);
    this.strip.replaceChildren(
      ...places.map((place, k) => {
        const bytes = octets(crops[k]);
        const url = bytes.byteLength ? URL.createObjectURL(new Blob([bytes], { type: "image/jpeg" })) : "";
        const colour = place.id === null ? "transparent" : colourOf(palette, place.id);
        const who = place.id === null ? "missed" : `track ${place.id}`;
        return h(
          "button",
          {
            type: "button",
            title: `frame ${place.frame}, ${who}`,
            style: `border-bottom-color: ${colour}`,
            "data-frame": place.frame,
            onclick: () => setTraits(model, { frame: place.frame }),
          },
          url
            ? h("img", { src: url, alt: "", onload: () => URL.revokeObjectURL(url) })
            : h("span", { class: "fml-dim" }, String(place.frame)),
        );
      }),
    );
    const span = life.last - life.first + 1;
    this.ids.replaceChildren(
      ...life.segments.map((/** @type {[number, number, number | null]} */ [first, last, id]) =>
        h("i", {
          style: `width: ${(100 * (last - first + 1)) / span}%; background: ${id === null ? "transparent" : colourOf(palette, id)}`,
          title: `frames ${first} to ${last}: ${id === null ? "missed" : `track ${id}`}`,
        }),
      ),
    );
  }

  /** @param {any} life */
  buttons(life) {
    const { model } = this;
    const act = (/** @type {string} */ text, /** @type {string} */ title, /** @type {() => void} */ onclick) =>
      h("button", { type: "button", title, onclick }, text);
    const focus = model.get("focus");
    const buttons = [
      act(
        focus === "only" ? "Show everybody" : `Show only ${life.id}`,
        "Hide or show the others in the picture",
        () => {
          setTraits(model, { focus: focus === "only" ? "fade" : "only" });
          this.drawLife();
        },
      ),
      act("Clip", "Play this life over and over", () =>
        setTraits(model, { range: [life.first, life.last], frame: life.first }),
      ),
    ];
    const jumps = life.breaks.map((/** @type {number} */ frame) =>
      act(String(frame), `Go to the ID switch in frame ${frame}`, () => setTraits(model, { frame })),
    );
    return jumps.length ? [...buttons, h("span", { class: "fml-dim" }, "ID switches:"), ...jumps] : buttons;
  }

  /** What changes from frame to frame: what happened last, the decisions, and the place on the strip. */
  drawFrame() {
    const { model } = this;
    const life = this.life();
    const frame = model.get("frame");
    if (!life) {
      this.why.hidden = true;
      return;
    }
    const places = [...this.strip.children];
    const near = places.reduce(
      (best, child) =>
        Math.abs(child.dataset.frame - frame) < Math.abs((best?.dataset.frame ?? Infinity) - frame) ? child : best,
      null,
    );
    for (const child of places)
      child.classList.toggle("fml-now", child === near && frame >= life.first && frame <= life.last);
    /** @type {{frame: number, text: string}[]} */
    const sentences = life.sentences;
    const sentence = sentences.filter((one) => one.frame <= frame).pop() || sentences[0];
    this.why.hidden = !sentence;
    this.why.textContent = sentence?.text || "";
    this.drawDecisions(life, frame);
  }

  /**
   * @param {any} life
   * @param {number} frame
   */
  drawDecisions(life, frame) {
    const { model } = this;
    const held = model.get("decisions");
    /** @type {any[]} */
    const all = held.id === life.id ? held.rows : life.decisions || [];
    const rows = all.filter((row) => Math.abs(row.frame - frame) <= AROUND);
    /** @type {string[]} */
    const columns = held.id === life.id ? held.columns : life.columns || [];
    this.table.hidden = !rows.length;
    const heads = ["frame", ...columns, "taken by"].map((name) => h("th", { scope: "col", title: HELP[name] }, name));
    this.table.replaceChildren(
      h("thead", {}, h("tr", {}, ...heads)),
      h(
        "tbody",
        {},
        ...rows.map((row) =>
          h(
            "tr",
            {
              class: [row.frame === frame ? "fml-current" : "", row.mood ? `fml-${row.mood}` : ""].join(" "),
              title: row.why || null,
              onclick: () => setTraits(model, { frame: row.frame }),
            },
            h("td", {}, String(row.frame)),
            ...columns.map((name) => this.measure(name, row[name])),
            h("td", { class: "fml-taken" }, row.taken),
          ),
        ),
      ),
    );
  }

  /**
   * @param {string} name
   * @param {number | null} value
   */
  measure(name, value) {
    if (value === null || value === undefined) return h("td", { class: "fml-dim" }, "–");
    const text = Math.abs(value) >= 10 ? value.toFixed(1) : value.toFixed(name === "score" ? 3 : 2);
    const bar = name === "score" ? h("span", { class: "fml-gauge", style: `--share: ${value}` }) : null;
    return h("td", { title: value.toFixed(4) }, bar, text);
  }
}

export default widgetOf(PeopleView);
