// A table that can be sorted, filtered and walked through with the keyboard.
import { caption, errorBanner, frameOf, noteOf } from "./chrome.js";
import { h } from "./dom.js";
import { counted } from "./numbers.js";
import { flip, setTraits, widgetOf } from "./scope.js";
/** @typedef {import("./types").Model} Model */
/** @typedef {import("./types").Scope} Scope */
/** @typedef {import("./types").Column} Column */
/** @typedef {Record<string, any>} Row */

const MOST_ROWS = 400; // drawn at a time; a filter finds the others
const NARROW = 820; // CSS pixels below which minor columns go and long texts get a line of their own

/**
 * Whether a row matches what was typed. A whole number matches whole numbers only, "person 12" the column named person;
 * anything else is looked for in the texts.
 * @param {Row} row
 * @param {Column[]} columns
 * @param {string} typed
 */
function matches(row, columns, typed) {
  const words = typed.trim().toLowerCase().split(/\s+/).filter(Boolean);
  for (let i = 0; i < words.length; i++) {
    const word = words[i];
    const named = columns.find((column) => column.label && column.label.toLowerCase() === word);
    if (named && i + 1 < words.length) {
      const value = row[named.key];
      const wanted = words[++i];
      if (!(typeof value === "string" ? value.toLowerCase().includes(wanted) : String(value) === wanted)) return false;
      continue;
    }
    const number = /^-?\d+(\.\d+)?$/.test(word);
    const found = columns.some((column) => {
      const value = row[column.key];
      if (value === null || value === undefined || typeof value === "object") return false;
      return number && typeof value === "number"
        ? value === Number(word)
        : typeof value === "string" &&
            (number
              ? new RegExp(`(^|\\D)${word.replace(".", "\\.")}(\\D|$)`).test(value)
              : value.toLowerCase().includes(word));
    });
    if (!found) return false;
  }
  return true;
}

class TableView {
  /**
   * @param {Model} model
   * @param {HTMLElement} el
   * @param {Scope} scope
   */
  constructor(model, el, scope) {
    this.model = model;
    /** @type {number[]} */
    this.shown = [];
    const root = (this.root = frameOf(el, scope, "tableview", model.get("title") || "Table"));
    this.caption = h("div", { class: "fml-caption" });
    this.choices = h("div", { class: "fml-bar" });
    this.search = h("input", {
      type: "search",
      placeholder: "filter: person 12",
      title: "A number, a column and its value (person 12), or a word",
      "aria-label": `Filter ${model.get("title")}`,
    });
    this.count = h("span", { class: "fml-dim", role: "status", "aria-live": "polite" });
    this.head = h("thead");
    this.body = h("tbody");
    this.table = h("table", { class: "fml-table", role: "grid" }, this.head, this.body);
    this.box = h("div", { class: "fml-scroll" }, this.table);
    root.append(errorBanner(model, scope, root).element, this.caption, this.choices, this.box, noteOf(model, scope));
    scope.model(
      "change:rows change:columns change:sort_by change:descending change:chosen change:title change:max_height",
      () => this.draw(),
    );
    scope.model("change:selected", () => this.mark(false));
    scope.resize(root, () => {
      const narrow = root.clientWidth < NARROW;
      if (narrow === this.narrow) return;
      this.narrow = narrow;
      this.draw();
    });
    scope.dom(this.search, "input", () => this.draw());
    scope.dom(root, "keydown", (event) => this.key(event));
    this.narrow = root.clientWidth > 0 && root.clientWidth < NARROW;
    this.draw();
  }

  /** Rows on show, as indices into the trait `rows`. */
  order() {
    const { model } = this;
    /** @type {Row[]} */
    const rows = model.get("rows");
    const filter = model.get("filter_by");
    const chosen = new Set(model.get("chosen"));
    const key = model.get("sort_by");
    const columns = model.get("columns");
    let order = rows.map((_, i) => i);
    if (filter && chosen.size) order = order.filter((i) => chosen.has(String(rows[i][filter])));
    if (this.search.value.trim()) order = order.filter((i) => matches(rows[i], columns, this.search.value));
    if (!key) return order;
    const sign = model.get("descending") ? -1 : 1;
    const missing = (/** @type {any} */ v) => Number(v === null || v === undefined);
    return order.sort((i, j) => {
      const a = rows[i][key];
      const b = rows[j][key];
      if (missing(a) || missing(b)) return missing(a) - missing(b); // rows without a value come last, either way
      return sign * (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b)));
    });
  }

  draw() {
    const { model } = this;
    /** @type {Row[]} */
    const rows = model.get("rows");
    const order = this.order();
    /** @type {Column[]} */
    const all = model.get("columns");
    const columns = all.filter((c) => !this.narrow || (!c.minor && !c.wide));
    const below = this.narrow ? all.filter((c) => c.wide) : [];
    this.root.setAttribute("aria-label", model.get("title") || "Table");
    caption(this.caption, model.get("title"));
    this.box.style.maxHeight = model.get("max_height") ? `${model.get("max_height")}px` : "";
    this.drawChoices(rows);
    this.head.replaceChildren(h("tr", {}, ...columns.map((column) => this.headCell(column))));
    this.shown = order.slice(0, MOST_ROWS);
    this.body.replaceChildren(
      ...this.shown.flatMap((i) => {
        const row = rows[i];
        const main = h(
          "tr",
          { "data-row": i, tabindex: -1, class: row._class || null, onclick: () => this.pick(i) },
          ...columns.map((column) => this.cell(row[column.key], column)),
        );
        const texts = below.filter((c) => row[c.key]);
        if (!texts.length) return [main];
        main.classList.add("fml-has-text");
        return [
          main,
          h(
            "tr",
            { class: "fml-text-row", onclick: () => this.pick(i) },
            h("td", { colspan: columns.length }, ...texts.map((c) => String(row[c.key]))),
          ),
        ];
      }),
    );
    this.count.textContent = `${order.length} of ${counted(rows.length, "row")}${order.length > MOST_ROWS ? `, the first ${MOST_ROWS} shown` : ""}`;
    this.mark(false);
  }

  /** @param {Column} column */
  headCell(column) {
    const { model } = this;
    const sorted = model.get("sort_by") === column.key;
    const descending = model.get("descending");
    const sort = h(
      "button",
      {
        type: "button",
        title: column.help || `Sort by ${column.label}`,
        onclick: () => setTraits(model, { sort_by: column.key, descending: sorted && !descending }),
      },
      column.label,
      sorted ? (descending ? " ↓" : " ↑") : "",
    );
    return h(
      "th",
      {
        scope: "col",
        "aria-sort": sorted ? (descending ? "descending" : "ascending") : "none",
        class: column.kind === "number" ? "fml-number" : null,
      },
      sort,
    );
  }

  /** @param {Row[]} rows */
  drawChoices(rows) {
    const { model } = this;
    const filter = model.get("filter_by");
    const searchable = model.get("searchable");
    this.choices.hidden = !filter && !searchable;
    if (this.choices.hidden) return;
    const focused = /** @type {HTMLElement | null} */ (document.activeElement);
    const parts = [];
    if (filter) {
      const counts = new Map();
      for (const row of rows) counts.set(String(row[filter]), (counts.get(String(row[filter])) || 0) + 1);
      const chosen = new Set(model.get("chosen"));
      for (const [value, count] of counts) {
        parts.push(
          h(
            "button",
            {
              type: "button",
              class: "fml-chip",
              "aria-pressed": String(chosen.has(value)),
              onclick: () => flip(model, "chosen", value),
              "data-value": value,
            },
            `${value} (${count})`,
          ),
        );
      }
    }
    if (searchable) parts.push(this.search);
    parts.push(this.count);
    const value = focused?.dataset?.value;
    this.choices.replaceChildren(...parts);
    if (focused === this.search) this.search.focus();
    else if (value && focused && !focused.isConnected)
      this.choices.querySelector(`[data-value="${CSS.escape(value)}"]`)?.focus();
  }

  /**
   * @param {any} value
   * @param {Column} column
   */
  cell(value, column) {
    if (value === null || value === undefined)
      return h("td", { class: column.kind === "number" ? "fml-number" : null }, "–");
    if (column.kind !== "number")
      return h("td", {}, typeof value === "boolean" ? (value ? "yes" : "no") : String(value));
    const text =
      typeof value === "number" && (column.fixed || !Number.isInteger(value))
        ? value.toFixed(column.digits ?? 3)
        : String(value);
    const sign = column.signed && value > 0 ? "+" : "";
    return h("td", { class: "fml-number" }, sign + text);
  }

  /** @param {boolean} focus */
  mark(focus) {
    const selected = this.model.get("selected");
    let first = true;
    for (const row of this.body.querySelectorAll("tr[data-row]")) {
      const on = +row.dataset.row === selected;
      row.setAttribute("aria-selected", String(on));
      row.tabIndex = on || (first && !this.shown.includes(selected)) ? 0 : -1;
      first = false;
      if (on && focus) row.focus({ preventScroll: true });
      if (on) this.reveal(row);
    }
  }

  /**
   * Scroll the table, not the notebook.
   * @param {HTMLElement} row
   */
  reveal(row) {
    const { box } = this;
    const head = this.head.offsetHeight;
    if (row.offsetTop - head < box.scrollTop) box.scrollTop = row.offsetTop - head;
    else if (row.offsetTop + row.offsetHeight > box.scrollTop + box.clientHeight)
      box.scrollTop = row.offsetTop + row.offsetHeight - box.clientHeight;
  }

  /** @param {number} i */
  pick(i) {
    setTraits(this.model, { selected: i });
    this.mark(true);
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const target = /** @type {HTMLElement} */ (event.target);
    /** @type {HTMLElement | null} */
    const row = target.closest("tr[data-row]");
    if (!row) {
      if (event.key !== "Tab" && target !== this.root) event.stopPropagation();
      return;
    }
    const at = this.shown.indexOf(Number(row.dataset.row));
    /** @type {Record<string, number>} */
    const moves = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: this.shown.length - 1, Enter: at, " ": at };
    const to = moves[event.key];
    if (event.key !== "Tab") event.stopPropagation();
    if (to === undefined) return;
    event.preventDefault();
    if (this.shown[to] !== undefined) this.pick(this.shown[to]);
  }
}

export default widgetOf(TableView);
