// A table that can be sorted, filtered and walked through with the keyboard.
import { h, frameOf, errorBanner, noteOf, makeScope, setTraits, octets } from "./common.js";

const MOST_ROWS = 400; // drawn at a time; a filter finds the others

class TableView {
  constructor(model, el) {
    this.model = model;
    this.scope = makeScope(model);
    this.urls = [];
    const root = this.root = frameOf(el, "tableview", model.get("title") || "Table");
    this.caption = h("div", { class: "fml-caption" });
    this.choices = h("div", { class: "fml-bar" });
    this.search = h("input", { type: "search", placeholder: "filter", "aria-label": `Filter ${model.get("title")}` });
    this.count = h("span", { class: "fml-dim", role: "status", "aria-live": "polite" });
    this.head = h("thead");
    this.body = h("tbody");
    this.table = h("table", { class: "fml-table", role: "grid" }, this.head, this.body);
    this.box = h("div", { class: "fml-scroll" }, this.table);
    root.append(errorBanner(model, this.scope).element, this.caption, this.choices, this.box, noteOf(model, this.scope));
    const { scope } = this;
    scope.model("change:rows change:columns", () => { this.forgetPictures(); this.draw(); });
    scope.model("change:sort_by change:descending change:chosen change:title change:max_height", () => this.draw());
    scope.model("change:selected", () => this.mark(false));
    scope.dom(this.search, "input", () => this.draw());
    scope.dom(root, "keydown", event => this.key(event));
    this.draw();
  }

  forgetPictures() { this.urls.forEach(URL.revokeObjectURL); this.urls = []; }

  /** Rows on show, as indices into the trait `rows`. */
  order() {
    const { model } = this, rows = model.get("rows"), text = this.search.value.trim().toLowerCase();
    const filter = model.get("filter_by"), chosen = new Set(model.get("chosen")), key = model.get("sort_by");
    let order = rows.map((_, i) => i);
    if (filter && chosen.size) order = order.filter(i => chosen.has(String(rows[i][filter])));
    if (text) order = order.filter(i => Object.values(rows[i]).some(v => typeof v !== "object" && String(v).toLowerCase().includes(text)));
    if (key) {
      const sign = model.get("descending") ? -1 : 1;
      const missing = v => v === null || v === undefined;
      order.sort((i, j) => {
        const a = rows[i][key], b = rows[j][key];
        if (missing(a) || missing(b)) return missing(a) - missing(b); // rows without a value come last, either way
        return sign * (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b)));
      });
    }
    return order;
  }

  draw() {
    const { model } = this, columns = model.get("columns"), rows = model.get("rows"), key = model.get("sort_by"), order = this.order();
    this.root.setAttribute("aria-label", model.get("title") || "Table");
    this.caption.textContent = model.get("title");
    this.caption.hidden = !model.get("title");
    this.box.style.maxHeight = model.get("max_height") ? `${model.get("max_height")}px` : "";
    this.drawChoices(rows);
    this.head.replaceChildren(h("tr", {}, ...columns.map(column => {
      const sorted = key === column.key, descending = model.get("descending");
      const sort = h("button", { type: "button", title: column.help || `Sort by ${column.label}`, onclick: () => setTraits(model, { sort_by: column.key, descending: sorted && !descending }) },
        column.label, sorted ? (descending ? " ↓" : " ↑") : "");
      return h("th", { scope: "col", "aria-sort": sorted ? (descending ? "descending" : "ascending") : "none", class: column.kind === "number" ? "fml-number" : null }, sort);
    })));
    this.body.replaceChildren(...order.slice(0, MOST_ROWS).map(i => {
      const cells = columns.map(column => this.cell(rows[i][column.key], column));
      return h("tr", { "data-row": i, tabindex: -1, class: rows[i]._class || null, onclick: () => this.pick(i) }, ...cells);
    }));
    this.count.textContent = `${order.length} of ${rows.length} rows${order.length > MOST_ROWS ? `, the first ${MOST_ROWS} shown` : ""}`;
    this.shown = order.slice(0, MOST_ROWS);
    this.mark(false);
  }

  drawChoices(rows) {
    const { model } = this, filter = model.get("filter_by"), searchable = model.get("searchable");
    this.choices.hidden = !filter && !searchable;
    if (this.choices.hidden) return;
    const focused = document.activeElement, parts = [];
    if (filter) {
      const counts = new Map();
      for (const row of rows) counts.set(String(row[filter]), (counts.get(String(row[filter])) || 0) + 1);
      const chosen = new Set(model.get("chosen"));
      for (const [value, count] of counts) {
        const flip = () => { const set = new Set(model.get("chosen")); set.has(value) ? set.delete(value) : set.add(value); setTraits(model, { chosen: [...set] }); };
        parts.push(h("button", { type: "button", class: "fml-chip", "aria-pressed": String(chosen.has(value)), onclick: flip, "data-value": value }, `${value} (${count})`));
      }
    }
    if (searchable) parts.push(this.search);
    parts.push(this.count);
    const value = focused?.dataset?.value;
    this.choices.replaceChildren(...parts);
    if (focused === this.search) this.search.focus();
    else if (value && !focused.isConnected) this.choices.querySelector(`[data-value="${CSS.escape(value)}"]`)?.focus();
  }

  cell(value, column) {
    if (column.kind === "image") {
      if (!value || !value.byteLength) return h("td", {}, "–");
      const url = URL.createObjectURL(new Blob([octets(value)], { type: "image/jpeg" }));
      this.urls.push(url);
      return h("td", {}, h("img", { src: url, alt: column.label, class: "fml-crop" }));
    }
    if (value === null || value === undefined) return h("td", { class: column.kind === "number" ? "fml-number" : null }, "–");
    if (column.kind !== "number") return h("td", {}, typeof value === "boolean" ? (value ? "yes" : "no") : String(value));
    const text = typeof value === "number" && (column.fixed || !Number.isInteger(value)) ? value.toFixed(column.digits ?? 3) : String(value);
    const sign = column.signed && value > 0 ? "+" : "";
    return h("td", { class: "fml-number" }, sign + text);
  }

  mark(focus) {
    const selected = this.model.get("selected");
    let first = true;
    for (const row of this.body.children) {
      const on = +row.dataset.row === selected;
      row.setAttribute("aria-selected", String(on));
      row.tabIndex = on || (first && !this.shown.includes(selected)) ? 0 : -1;
      first = false;
      if (on && focus) row.focus();
      if (on) row.scrollIntoView({ block: "nearest" });
    }
  }

  pick(i) {
    setTraits(this.model, { selected: i });
    this.model.send({ kind: "pick", row: i });
    this.mark(true);
  }

  key(event) {
    const row = event.target.closest?.("tr[data-row]");
    if (!row) { if (event.key !== "Tab" && event.target !== this.root) event.stopPropagation(); return; }
    const at = this.shown.indexOf(+row.dataset.row), to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: this.shown.length - 1, Enter: at, " ": at }[event.key];
    if (event.key !== "Tab") event.stopPropagation();
    if (to === undefined) return;
    event.preventDefault();
    if (this.shown[to] !== undefined) this.pick(this.shown[to]);
  }

  close() { this.forgetPictures(); this.scope.close(); this.root.remove(); }
}

export default {
  render({ model, el }) {
    const view = new TableView(model, el);
    return () => view.close();
  },
};
